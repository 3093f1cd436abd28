"""Certificate issuance: the device's new key, its request (CSR), and the chain in the answer.

Sources: Azure REST specification 2026-11-01, operation `RegisterDeviceAndIssueCertificate`; Azure
IoT SDK for C 1.0, `dps-integration.md`.
"""

from __future__ import annotations

import base64
import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, Literal, TypeAlias, assert_never, get_args

from anyio import to_thread
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from aiodps.errors import ConfigurationError, IssuanceError
from aiodps.input_files.certificates import UNREADABLE, load_der
from aiodps.key_text import shown
from aiodps.models import Assignment, IssuedCredential, IssuedKey
from aiodps.protocol.limits import MAX_CHAIN, MAX_CSR

IssuedKeyType: TypeAlias = Literal["p256", "p384", "rsa2048"]
"""EC P-256, EC P-384, or RSA with 2048 bits."""

_MAX_CN_CHARACTERS: Final = 64
_PEM: Final = b"-----BEGIN"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """The kind of key that the device makes for the certificate that it asks for."""

    type: IssuedKeyType = "p256"
    """P-256 and RSA have been seen to work; early documentation names P-384 alone."""

    def __post_init__(self) -> None:
        """Check the type.

        Raises:
            ConfigurationError: If it is none of `IssuedKeyType`.
        """
        if self.type not in get_args(IssuedKeyType):
            raise ConfigurationError(
                f"{shown(self.type)} is not a type of key for issued certificates",
                setting="issue",
                hint=f"give one of {', '.join(get_args(IssuedKeyType))}",
            )

    async def generate(self) -> IssuedKey:
        """Make a key; one of RSA takes so long that a thread makes it."""
        match self.type:
            case "p256":
                return ec.generate_private_key(ec.SECP256R1())
            case "p384":
                return ec.generate_private_key(ec.SECP384R1())
            case "rsa2048":
                return await to_thread.run_sync(rsa.generate_private_key, 65537, 2048)
            case _:
                assert_never(self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """The request for a certificate in one registration, and what its answer is checked with."""

    registration_id: str
    csr: str = field(repr=False)
    """PKCS#10 in base64 of DER, as it is sent."""
    public_key: bytes = field(repr=False)
    """The public key in it, as DER."""
    key: IssuedKey | None = field(default=None, repr=False)
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
            public_key=_der(made),
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
            valid, names = request.is_signature_valid, _common_names(request)
            public_key = _der(request)
        except UNREADABLE as exc:
            raise _bad_csr("is not a PKCS#10 request in DER") from exc

        if not valid:
            raise _bad_csr("is not signed with the key that is in it")

        if not _is_name_of(names, registration_id):
            raise _bad_csr(f"has the CN {', '.join(names)!a}, not {registration_id!r}")

        return cls(registration_id=registration_id, csr=text, public_key=public_key)

    def accept(self, assignment: Assignment) -> IssuedCredential:
        """Check what was issued, and return it with its key.

        Raises:
            IssuanceError: If nothing was issued, or not to this device and key; `reason` says why.
        """
        try:
            return IssuedCredential(self.key, self._checked(assignment.issued_certificate_chain))
        except IssuanceError as error:
            error.assigned_hub, error.device_id = assignment.assigned_hub, assignment.device_id
            raise

    def _checked(self, elements: Sequence[str]) -> tuple[x509.Certificate, ...]:
        if not elements:
            raise IssuanceError(
                "the device is assigned, but the service issued no certificate",
                reason="missing",
                hint="give the enrollment a certificate policy, in a namespace of Azure Device "
                "Registry that is linked to the instance",
            )

        if len(elements) > MAX_CHAIN:
            raise _refused(f"has {len(elements)} certificates", "unreadable")

        try:
            chain = tuple(map(_certificate, elements))
            leaf, names = chain[0], _common_names(chain[0])
            public_key = _der(leaf)
        except UNREADABLE as exc:
            raise _refused("cannot be read", "unreadable") from exc

        if public_key != self.public_key:
            raise _refused("is for another key than the device's", "key")

        if not _is_name_of(names, self.registration_id):
            raise _refused(f"is for the CN {', '.join(names)[:140]!a}", "cn")

        for certificate, issuer in itertools.pairwise(chain):
            _check_link(certificate, issuer)

        return chain


def _check_length(registration_id: str) -> None:
    if len(registration_id) > _MAX_CN_CHARACTERS:
        raise ConfigurationError(
            f"the registration id has {len(registration_id)} characters, and the CN of a "
            f"certificate has at most {_MAX_CN_CHARACTERS}",
            setting="registration_id",
            hint="give a shorter one to devices that ask for certificates",
        )


def _decoded(csr: object) -> bytes:
    """Return a request as DER; a key that is given by mistake is not shown."""
    if not isinstance(csr, str | bytes):
        raise _bad_csr(f"cannot be of type {type(csr).__name__!r}")

    given = csr.encode(errors="replace") if isinstance(csr, str) else csr
    if given.lstrip().startswith(_PEM):
        raise _bad_csr("is PEM")

    if isinstance(csr, bytes):
        return csr

    try:
        der = base64.b64decode(csr, validate=True)
    except ValueError as exc:
        raise _bad_csr("is not base64 in one line") from exc

    if der.startswith(_PEM):
        raise _bad_csr("is base64 of PEM")

    return der


def _bad_csr(fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"the certificate request {fault}",
        setting="csr",
        hint="give base64 of DER with the registration id as CN: `openssl req -new -subj /CN=ID "
        "-key FILE -outform DER | base64 -w 0`",
    )


def _certificate(element: str) -> x509.Certificate:
    """Read an element of a chain: base64 of DER, or of PEM, which has been seen as well."""
    data = base64.b64decode(element, validate=True)
    if data.startswith(_PEM):
        with warnings.catch_warnings(action="ignore"):  # as `load_der`
            return x509.load_pem_x509_certificate(data)

    return load_der(data)


def _check_link(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE) as exc:
        name = certificate.subject.rfc4514_string()[:140]
        raise _refused(f"has a hole: {name!a} was not issued by the next", "chain") from exc


def _refused(fault: str, reason: str) -> IssuanceError:
    return IssuanceError(f"the issued certificate chain {fault}", reason=reason)


def _common_names(source: x509.Certificate | x509.CertificateSigningRequest) -> list[str]:
    with warnings.catch_warnings(action="ignore"):  # of a CN that is too long
        names = source.subject.get_attributes_for_oid(NameOID.COMMON_NAME)

    return [str(name.value) for name in names]


def _is_name_of(names: Sequence[str], registration_id: str) -> bool:
    """Whether the only CN is a registration id, in any case; other alphabets have no case."""
    return "".join(names).isascii() and [each.lower() for each in names] == [
        registration_id.lower()
    ]


def _der(source: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    return source.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


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
                hint="leave out issue if the device makes its own requests",
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


def check_keys_folder(directory: Path) -> None:
    """Check that issued credentials can be saved, before they are asked for.

    Raises:
        ConfigurationError: If the folder cannot be created, or written to.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as exc:
        raise ConfigurationError(
            f"the folder {str(directory)!r} cannot be written to: {exc.strerror}",
            setting="keys_out",
            hint="give a folder that you have write access to, such as --keys-out keys",
        ) from exc


async def save_issued(assignment: Assignment, directory: Path) -> Path | None:
    """Save what was issued, in a thread; None if nothing was.

    Raises:
        IssuanceError: "unwritable", if it cannot be written.
    """
    issued = assignment.issued
    if issued is None:
        return None

    try:
        return await to_thread.run_sync(issued.save, directory)
    except OSError as exc:
        error = IssuanceError(
            f"the issued credential cannot be written: {exc.strerror}",
            reason="unwritable",
            hint="free some disk space, and register again",
        )
        error.assigned_hub, error.device_id = assignment.assigned_hub, assignment.device_id
        raise error.locate(registration_id=assignment.registration_id) from exc
