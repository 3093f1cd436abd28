"""What OpenSSL accepts and DPS allows is provisioned, in whatever form it was given.

OpenSSL's own context is the judge beside it: it loads each pair of files, or it is said why not.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from tests import certificates as kit
from tests.emulated import client, emulator
from tests.foreign_files import (
    RSA_PSS_CERTIFICATE,
    RSA_PSS_KEY,
    SERIAL_ZERO,
    padded_key,
    trusted_certificate,
)

import aiodps
from aiodps.attestation.chain import common_name
from aiodps.emulator.service.enrollments.store import EnrollmentGroup, IndividualEnrollment
from aiodps.pki import Credential

pytestmark = pytest.mark.sockets

OLD, NEW = (kit.root().intermediate("renewed") for _ in range(2))
DEVICE = kit.intermediate().device("by-intermediate-1")
RENEWED = NEW.device("renewed-1")
OF_ROOT = kit.root().device("of-root-1")
LONELY = kit.self_signed("lonely-1")
HOLE = kit.intermediate().intermediate("deep").intermediate("deeper")
PSS = aiodps.X509.from_bytes(certificate=RSA_PSS_CERTIFICATE, private_key=RSA_PSS_KEY)
ZERO = aiodps.X509.from_bytes(certificate=SERIAL_ZERO, private_key=SERIAL_ZERO)


@dataclass(frozen=True)
class Case:
    """Certificate and key as they were given."""

    certificate: bytes
    key: bytes | None
    password: str | None = None
    openssl: bool = True
    """Whether OpenSSL loads these files as they are."""


def pem(*credentials: Credential) -> bytes:
    """Write certificates into one file."""
    return b"".join(each.certificate_pem for each in credentials)


def der(credential: Credential) -> bytes:
    """Write a key in DER."""
    return credential.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def bundle(credential: Credential) -> bytes:
    """Write a PKCS#12 bundle."""
    return pkcs12.serialize_key_and_certificates(
        b"x", credential.private_key, credential.certificate, credential.intermediates,
        BestAvailableEncryption(b"x"),
    )  # fmt: skip


KEY = DEVICE.private_key_pem
CHAIN = pem(DEVICE, kit.intermediate())
CASES = {
    "plain": Case(CHAIN, KEY),
    "in one file": Case(KEY + CHAIN, None),
    "trusted certificate": Case(
        trusted_certificate(DEVICE) + kit.intermediate().certificate_pem, KEY
    ),
    "key of GnuTLS": Case(CHAIN, b"Public Key Info:\n\tECDSA\n" + padded_key(DEVICE)),
    "key of GnuTLS in DER": Case(CHAIN, padded_key(DEVICE, encoding=Encoding.DER), openssl=False),
    "RSA-PSS": Case(RSA_PSS_CERTIFICATE, RSA_PSS_KEY),
    "serial number 0": Case(SERIAL_ZERO, None),
    "encrypted": Case(CHAIN, DEVICE.encrypted_key_pem(password=b"x"), "x"),
    "DER key": Case(CHAIN, der(DEVICE), openssl=False),
    "CRLF, byte order mark": Case(b"\xef\xbb\xbf" + CHAIN.replace(b"\n", b"\r\n"), KEY),
    "bag attributes": Case(b"Bag Attributes\n  friendlyName: x\n" + CHAIN, KEY),
    "PKCS#12": Case(bundle(DEVICE), None, "x", openssl=False),
    "PKCS#12 twice": Case(bundle(DEVICE), bundle(DEVICE), "x", openssl=False),
    "renewed CA, the old one first": Case(pem(RENEWED, OLD, NEW), RENEWED.private_key_pem),
    "self-signed, with another CA": Case(pem(LONELY, kit.root()), LONELY.private_key_pem),
    "a CA that is not its own": Case(pem(OF_ROOT, OLD), OF_ROOT.private_key_pem),
    "the root as well": Case(CHAIN + pem(kit.root()), KEY),
}


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("name", CASES)
async def test_it_is_assigned(name: str, tmp_path: Path) -> None:
    """As OpenSSL, and with it curl, would send it."""
    case = CASES[name]
    certificate, key = tmp_path / "d.pem", tmp_path / "d.key"
    certificate.write_bytes(case.certificate)
    certificate.chmod(0o600)
    if case.key is not None:
        key.touch(mode=0o600)
        key.write_bytes(case.key)

    key_file = None if case.key is None else key
    if case.openssl:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key_file, case.password)

    device = aiodps.X509.from_files(certificate, key_file, password=case.password)
    known = [LONELY.certificate, OF_ROOT.certificate, *PSS.chain, *ZERO.chain]
    individual = [
        IndividualEnrollment.x509(registration_id=common_name(each), certificate=each)
        for each in known
    ]
    group = EnrollmentGroup.signed_by(kit.root().certificate, enrollment_group_id="all")
    async with emulator(enrollments=[*individual, group]) as dps:
        assignment = await client(dps, "rest").provision(attestation=device)

    assert assignment.device_id == device.registration_id


def test_a_hole_is_named() -> None:
    """Wherever it is; OpenSSL says nothing of it."""
    device = HOLE.device("d")
    given = device.certificate_pem + pem(HOLE, kit.intermediate())
    odd = aiodps.X509.from_bytes(certificate=given, private_key=device.private_key_pem)

    assert "CN=deep'" in odd.remarks[0]
