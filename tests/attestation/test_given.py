"""Certificate and key come together from PEM, DER and PKCS#12, in any combination."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from tests import certificates as kit

from aiodps.attestation.given import Given, parse
from aiodps.errors import CertificateError, PrivateKeyError
from aiodps.input_files.origin import Origin

DEVICE = kit.intermediate().device("device-1")
CERTIFICATE = Origin.file("d.pem", what="certificate file", kind=CertificateError)
KEY = Origin.file("d.key", what="private key file", kind=PrivateKeyError)
PASSWORD = b"x"


def bundle(*, certificate: bool = True, key: bool = True) -> bytes:
    """Make a bundle, whole or with a part missing."""
    own = DEVICE.certificate if certificate else None
    others = DEVICE.intermediates if certificate else None
    return pkcs12.serialize_key_and_certificates(
        b"d", DEVICE.private_key if key else None, own, others, BestAvailableEncryption(PASSWORD)
    )


PEM_KEY = DEVICE.private_key_pem
DER_KEY = DEVICE.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
LOCKED = DEVICE.encrypted_key_pem(password=PASSWORD)
DER = DEVICE.certificate.public_bytes(Encoding.DER) + kit.intermediate().certificate.public_bytes(
    Encoding.DER
)


@pytest.mark.parametrize(
    "certificate",
    [DEVICE.chain_pem, DER, bundle(), bundle(key=False)],
    ids=["pem", "der", "pkcs12", "pkcs12 without key"],
)
@pytest.mark.parametrize(
    "key", [PEM_KEY, DER_KEY, LOCKED, bundle()], ids=["pem", "der", "encrypted", "pkcs12"]
)
def test_two_files(certificate: bytes, key: bytes) -> None:
    """Either may be of any format; one password serves both."""
    leaf, certificates, _ = parse(Given(certificate, CERTIFICATE), Given(key, KEY), PASSWORD)

    assert leaf == DEVICE.certificate
    assert kit.intermediate().certificate in certificates


@pytest.mark.parametrize("data", [DEVICE.chain_pem + PEM_KEY, LOCKED + DEVICE.chain_pem, bundle()])
def test_one_file(data: bytes) -> None:
    """The key may be with the certificate."""
    leaf, _, _ = parse(Given(data, CERTIFICATE), None, PASSWORD)

    assert leaf == DEVICE.certificate


def test_what_does_not_belong_together() -> None:
    """Both files are named."""
    other = Given(kit.good_rsa().private_key_pem, KEY)
    with pytest.raises(PrivateKeyError) as caught:
        parse(Given(DEVICE.chain_pem, CERTIFICATE), other, None)

    assert caught.value.message == (
        "the private key file 'd.key' does not belong to the certificate file 'd.pem'"
    )


@pytest.mark.parametrize(
    ("certificate", "error", "reason"),
    [
        (DEVICE.chain_pem, PrivateKeyError, "no_key"),
        (DER, PrivateKeyError, "no_key"),
        (bundle(key=False), PrivateKeyError, "empty"),
        (bundle(certificate=False), CertificateError, "empty"),
        (PEM_KEY, CertificateError, "swapped"),
    ],
)
def test_what_is_missing(
    certificate: bytes, error: type[CertificateError | PrivateKeyError], reason: str
) -> None:
    """It is named, with the file that should hold it."""
    with pytest.raises(error, match=r"'d.pem'") as caught:
        parse(Given(certificate, CERTIFICATE), None, PASSWORD)

    assert caught.value.reason == reason
