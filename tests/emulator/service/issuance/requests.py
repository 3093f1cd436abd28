"""Certificate signing requests of devices, and what they are answered with."""

from __future__ import annotations

import base64
import functools
import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from aiodps.emulator.service.enrollments.issuance import IssuancePolicy

POLICY: Final = IssuancePolicy(
    name="thirty-days", namespace="my-namespace", certificate_authority="ca-1"
)


@functools.cache
def device_key() -> ec.EllipticCurvePrivateKey:
    """The key that a device has made for its certificate."""
    return ec.generate_private_key(ec.SECP256R1())


def request_der(
    *names: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
) -> bytes:
    """Write a CSR in DER, whose subject has these CNs."""
    with warnings.catch_warnings(action="ignore"):  # of names longer than X.509 allows
        cns = [x509.NameAttribute(NameOID.COMMON_NAME, each, _validate=False) for each in names]
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(cns))
        edwards = isinstance(key, ed25519.Ed25519PrivateKey)
        signed = builder.sign(key, None if edwards else hashes.SHA256())

    return signed.public_bytes(Encoding.DER)


@functools.cache
def csr(registration_id: str = "device-1") -> str:
    """Write the `csr` of a device."""
    return base64.b64encode(request_der(registration_id, key=device_key())).decode()


def chain(poll: Mapping[str, Any]) -> list[x509.Certificate]:
    """Read the chain in the body of a poll's answer; each certificate is issued by the next."""
    state = poll["registrationState"]
    ders: Sequence[str] = state["issuedCertificateChain"]
    certificates = [x509.load_der_x509_certificate(base64.b64decode(each)) for each in ders]
    for below, above in itertools.pairwise(certificates):
        below.verify_directly_issued_by(above)

    return certificates
