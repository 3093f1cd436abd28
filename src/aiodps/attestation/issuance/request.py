"""Requests for certificates (CSR): made with a new key, or checked if the caller made them.

Sources: Azure REST specification 2026-11-01, operation `RegisterDeviceAndIssueCertificate`; Azure
IoT SDK for C 1.0, `dps-integration.md`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from aiodps.attestation.issuance.chain import (
    PEM,
    check_chain,
    common_names,
    is_name_of,
    public_der,
)
from aiodps.attestation.issuance.key_spec import KeySpec
from aiodps.errors import ConfigurationError
from aiodps.input_files.certificates import MAX_COMMON_NAME, UNREADABLE
from aiodps.models import Assignment, IssuedCredential
from aiodps.protocol.limits import MAX_CSR


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """The request for a certificate in one registration, and what its answer is checked with."""

    registration_id: str
    csr: str = field(repr=False)
    """PKCS#10 in base64 of DER, as it is sent."""
    public_key: bytes = field(repr=False)
    """The public key in it, as DER."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = field(default=None, repr=False)
    """The private key; None if the caller has it."""

    @classmethod
    async def generate(cls, spec: KeySpec, registration_id: str) -> CertificateRequest:
        """Make a key, and a request that is signed with it.

        Raises:
            ConfigurationError: If the registration id is too long for a CN.
        """
        _check_length(registration_id)
        key = await spec.generate()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, registration_id)])
        digest = hashes.SHA384() if spec.type == "p384" else hashes.SHA256()
        made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, digest)
        return cls(
            registration_id=registration_id,
            csr=base64.b64encode(made.public_bytes(Encoding.DER)).decode(),
            public_key=public_der(made),
            key=key,
        )

    @classmethod
    def given(cls, csr: object, registration_id: str) -> CertificateRequest:
        """Check a request that the caller made.

        Args:
            csr: PKCS#10 in base64 of DER (a string), or as DER (bytes).
            registration_id: Registration id of the device, which its CN has to be.

        Raises:
            ConfigurationError: If it is anything else, too long, or for another device.
        """
        _check_length(registration_id)
        der = _decoded(csr)
        text = base64.b64encode(der).decode()
        if len(text) > MAX_CSR:
            raise _bad_csr(f"has {len(text)} characters in base64, the maximum is {MAX_CSR}")

        try:
            request = x509.load_der_x509_csr(der)
            valid, names = request.is_signature_valid, common_names(request)
            public_key = public_der(request)
        except UNREADABLE as exc:
            raise _bad_csr("is not a PKCS#10 request in DER") from exc

        if not valid:
            raise _bad_csr("is not signed with the key that is in it")

        if not is_name_of(names, registration_id):
            raise _bad_csr(f"has the CN {', '.join(names)!a}, not {registration_id!r}")

        return cls(registration_id=registration_id, csr=text, public_key=public_key)

    def accept(self, assignment: Assignment) -> IssuedCredential:
        """Check what was issued, and return it with its key.

        Raises:
            IssuanceError: If nothing was issued, or not to this device and key; `reason` says why.
        """
        chain = check_chain(
            assignment, public_key=self.public_key, registration_id=self.registration_id
        )
        return IssuedCredential(self.key, chain)


def _check_length(registration_id: str) -> None:
    if len(registration_id) > MAX_COMMON_NAME:
        raise ConfigurationError(
            f"the registration id has {len(registration_id)} characters, and the CN of a "
            f"certificate has at most {MAX_COMMON_NAME}",
            setting="registration_id",
            hint="give a shorter one to devices that ask for certificates",
        )


def _decoded(csr: object) -> bytes:
    """Return a request as DER; a key that is given by mistake is not shown."""
    if not isinstance(csr, str | bytes):
        raise _bad_csr(f"cannot be of type {type(csr).__name__!r}")

    given = csr.encode(errors="replace") if isinstance(csr, str) else csr
    if given.lstrip().startswith(PEM):
        raise _bad_csr("is PEM")

    if isinstance(csr, bytes):
        return csr

    try:
        der = base64.b64decode(csr, validate=True)
    except ValueError as exc:
        raise _bad_csr("is not base64 in one line") from exc

    if der.startswith(PEM):
        raise _bad_csr("is base64 of PEM")

    return der


def _bad_csr(fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"the certificate request {fault}",
        setting="csr",
        hint="give base64 of DER with the registration id as CN: `openssl req -new -subj /CN=ID "
        "-key FILE -outform DER | openssl base64 -A`",
    )


async def certificate_request(
    spec: KeySpec | None, csr: str | bytes | None, *, registration_id: str, resumed: bool
) -> CertificateRequest | None:
    """Return the request of a registration; None if no certificate is asked for.

    Args:
        spec: Key to make; None to make none.
        csr: The caller's own request; None if there is none.
        registration_id: Registration id of the device.
        resumed: Whether an operation is continued that an earlier process started.

    Raises:
        ConfigurationError: If both are given, or the key of the operation is gone.
    """
    if csr is not None:
        if spec is not None:
            raise ConfigurationError(
                "issue and csr are two ways to ask for a certificate",
                setting="csr",
                hint="leave out issue, also in the environment and in the settings file",
            )

        return CertificateRequest.given(csr, registration_id)

    if spec is None:
        return None

    if resumed:
        raise ConfigurationError(
            "the operation is for a key that was made by an earlier process, and is gone",
            setting="operation_id",
            hint="leave out operation_id to register again, or make the key yourself and give csr",
        )

    return await CertificateRequest.generate(spec, registration_id)
