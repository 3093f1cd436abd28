"""Attestation mechanisms as enrollments hold them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.certificates import certify, root

from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    ClientCertificates,
    EnrolledCertificate,
    Mechanism,
    SigningCertificates,
    SymmetricKeys,
    TpmKeys,
    mechanism_to_json,
    read_mechanism,
)
from aiodps.errors import ConfigurationError

DEVICE = EnrolledCertificate.of(certify().certificate)
ROOT = EnrolledCertificate.of(root().certificate)
SEEN = EnrolledCertificate(thumbprint="AB" * 32)
MECHANISMS: list[Mechanism] = [
    ClientCertificates(primary=DEVICE),
    ClientCertificates(primary=DEVICE, secondary=SEEN),
    SigningCertificates(primary=ROOT),
    SigningCertificates(primary=ROOT, secondary=DEVICE),
    ClientCertificates(primary=None, secondary=DEVICE),
    CaReferences(primary="my-root"),
    CaReferences(primary=None, secondary="my-other-root"),
    CaReferences(primary="my-root", secondary="my-other-root"),
    SymmetricKeys(),
    SymmetricKeys(primary="A" * 64, secondary="B" * 64),
    TpmKeys(endorsement_key="AAAA"),
    TpmKeys(endorsement_key="AAAA", storage_root_key="BBBB"),
]


def read(attestation: object) -> Mechanism:
    """Read the attestation of an enrollment."""
    return read_mechanism(JsonObject({"attestation": attestation}, "enrollment 0"))


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda each: type(each).__name__)
def test_there_and_back(mechanism: Mechanism) -> None:
    """What is written can be read, and is the same."""
    assert read(mechanism_to_json(mechanism)) == mechanism


@pytest.mark.parametrize(
    "text",
    [
        certify().certificate_pem.decode(),
        base64.b64encode(certify().certificate.public_bytes(Encoding.DER)).decode(),
    ],
    ids=["PEM", "base64 of DER"],
)
def test_certificates_as_people_write_them(text: str) -> None:
    """Source: the service API's `X509CertificateWithInfo`, PEM or base64 of DER."""
    pair = {"primary": {"certificate": text}, "secondary": None}
    mechanism = read({"type": "x509", "x509": {"clientCertificates": pair}})

    assert isinstance(mechanism, ClientCertificates)
    assert mechanism.primary is not None
    assert mechanism.primary.certificate is not None
    assert mechanism.secondary is None


def test_certificates_as_the_service_shows_them() -> None:
    """Its answers have `info` alone; the thumbprint in it is enough."""
    info = {"sha256Thumbprint": DEVICE.thumbprint.lower(), "subjectName": "CN=device-1"}
    pair = {"primary": {"certificate": None, "info": info}}
    mechanism = read({"type": "x509", "x509": {"clientCertificates": pair}})

    assert mechanism == ClientCertificates(
        primary=EnrolledCertificate(thumbprint=DEVICE.thumbprint)
    )
    assert mechanism.primary is not None
    assert mechanism.primary.info == info | {"sha256Thumbprint": DEVICE.thumbprint}


DIGITS = "".join(f"{number:02x}" for number in range(32))
PAIRS = [DIGITS[place : place + 2] for place in range(0, 64, 2)]


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        ":".join(PAIRS).upper(),
        " ".join(PAIRS),
        "-".join(PAIRS),
        f"\u200e{' '.join(PAIRS)} ",
        f"sha256 Fingerprint={':'.join(PAIRS)}\n",
    ],
)
def test_thumbprints_as_tools_write_them(text: str) -> None:
    """OpenSSL, Windows' dialogue, PowerShell and the portal."""
    pair = {"primary": {"info": {"sha256Thumbprint": text}}}
    mechanism = read({"type": "x509", "x509": {"clientCertificates": pair}})

    assert isinstance(mechanism, ClientCertificates)
    assert mechanism.primary == EnrolledCertificate(thumbprint=DIGITS.upper())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("see portal", "is not 64 hex digits"),
        (DIGITS[:-1], "is not 64 hex digits"),
        (f"{DIGITS}00", "is not 64 hex digits"),
        (DIGITS[:40], "has 40 hex digits, those of SHA-1"),
    ],
)
def test_what_is_not_a_thumbprint(text: str, says: str) -> None:
    """It would let nobody in, without a word."""
    pair = {"primary": {"info": {"sha256Thumbprint": text}}}
    with pytest.raises(ConfigurationError, match=f"info.sha256Thumbprint {says}"):
        read({"type": "x509", "x509": {"clientCertificates": pair}})


@pytest.mark.parametrize(
    ("attestation", "message"),
    [
        (None, "attestation is missing"),
        ([], "attestation is not an object"),
        ({}, "attestation.type is missing"),
        ({"type": "none"}, "attestation.type is 'none', not x509, symmetricKey or tpm"),
        ({"type": "tpm"}, "attestation.tpm is missing"),
        ({"type": "tpm", "tpm": {}}, "attestation.tpm.endorsementKey is missing"),
        (
            {"type": "tpm", "tpm": {"endorsementKey": "*"}},
            "attestation.tpm.endorsementKey is not base64",
        ),
        (
            {"type": "symmetricKey", "symmetricKey": {"primaryKey": "AAAA"}},
            "attestation.symmetricKey.primaryKey is not 16 to 64 bytes",
        ),
        ({"type": "x509"}, "attestation.x509 is missing"),
        (
            {"type": "x509", "x509": {}},
            (
                "attestation.x509 has 0 of clientCertificates, signingCertificates, caReferences;"
                " one is needed"
            ),
        ),
        (
            {"type": "x509", "x509": {"caReferences": {}}},
            "attestation.x509.caReferences.primary is missing",
        ),
        (
            {"type": "x509", "x509": {"clientCertificates": {"primary": {}}}},
            "attestation.x509.clientCertificates.primary.certificate is missing",
        ),
        (
            {"type": "x509", "x509": {"clientCertificates": {"primary": None, "secondary": None}}},
            "attestation.x509.clientCertificates.primary is missing",
        ),
        (
            {
                "type": "x509",
                "x509": {"signingCertificates": {"primary": {"certificate": "MIIB"}}},
            },
            (
                "attestation.x509.signingCertificates.primary.certificate is neither PEM nor base64"
                " of DER"
            ),
        ),
        (
            {"type": "symmetricKey", "symmetricKey": {"primaryKey": "not base64!"}},
            "attestation.symmetricKey.primaryKey is not base64",
        ),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_cannot_be_read(attestation: Any, message: str) -> None:
    """The message names the member, and shows no key."""
    with pytest.raises(ConfigurationError) as wrong:
        read(attestation)

    assert wrong.value.message == f"enrollment 0: {message}"


@pytest.mark.parametrize("kind", ["symmetrickey", "SymmetricKey", "SYMMETRICKEY"])
def test_types_in_any_casing(kind: str) -> None:
    """As Microsoft's own service reads words."""
    assert read({"type": kind}) == SymmetricKeys()


def test_two_kinds_of_certificates_at_once() -> None:
    """An enrollment has one of them."""
    pair = {"primary": ROOT.to_json()}
    both = {"clientCertificates": pair, "signingCertificates": pair}
    with pytest.raises(ConfigurationError, match="has 2 of"):
        read({"type": "x509", "x509": both})


def test_keys_stay_out_of_the_repr() -> None:
    """They are secrets."""
    keys = SymmetricKeys(primary="c2VjcmV0", secondary="b3RoZXI=")

    assert "c2VjcmV0" not in repr(keys)
    assert "b3RoZXI=" not in repr(keys)
