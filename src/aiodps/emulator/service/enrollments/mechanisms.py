"""The attestation mechanisms of enrollments.

Source of the JSON shapes: Microsoft's REST reference of the DPS service API,
`AttestationMechanism`.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, TypeAlias, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.protocol.formats import symmetric_key
from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.emulator.protocol.x509 import certificate_info, read_certificate, thumbprint
from aiodps.errors import CertificateError

_SHORTEST_KEY = 16
_LONGEST_KEY = 64
"""Bytes of a symmetric key (Microsoft Learn, "Symmetric key attestation")."""

_SEPARATORS = re.compile(r"[\s:.\-_\u200e\u200f]+")
"""What tools put between the digits of a thumbprint; Windows' dialogue begins with U+200E."""
_THUMBPRINT = re.compile("[0-9A-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledCertificate:
    """A certificate in an enrollment, whole or by its thumbprint alone."""

    thumbprint: str
    """SHA-256, upper-case hex digits."""
    certificate: x509.Certificate | None = None
    """None if only its `info` is known, which is all that the service API shows."""
    described: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The `info` as given; empty if there is a certificate."""

    @classmethod
    def of(cls, certificate: x509.Certificate | str | bytes) -> Self:
        """Enroll a certificate.

        Raises:
            CertificateError: If it cannot be read.
        """
        read = read_certificate(certificate)
        return cls(thumbprint=thumbprint(read), certificate=read)

    @classmethod
    def read(cls, members: JsonObject) -> Self:
        """Read `{"certificate": ...}` or `{"info": {"sha256Thumbprint": ...}}`.

        Raises:
            ConfigurationError: If it is neither; the message says where.
        """
        info = members.object("info")
        text = members.string("certificate")
        if text is None and info is not None:
            return cls(thumbprint=_read_thumbprint(info), described=dict(info.document))

        try:
            return cls.of(members.required_string("certificate"))
        except CertificateError as exc:
            raise members.error("certificate", "is neither PEM nor base64 of DER") from exc

    @property
    def info(self) -> dict[str, Any]:
        """Its `info` in the service API."""
        if self.certificate is None:
            return {**self.described, "sha256Thumbprint": self.thumbprint}

        return certificate_info(self.certificate)

    def to_json(self) -> dict[str, Any]:
        """Write it as the service API takes it."""
        if self.certificate is None:
            return {"info": self.info}

        der = self.certificate.public_bytes(Encoding.DER)
        return {"certificate": base64.b64encode(der).decode()}


def thumbprint_digits(text: str) -> str:
    """Return a thumbprint without the separators that tools write, in upper case."""
    return _SEPARATORS.sub("", text).upper()


def _read_thumbprint(info: JsonObject) -> str:
    """Return the digits of a thumbprint, with whatever separators and words tools write it."""
    member = "sha256Thumbprint"
    text = info.required_string(member).rpartition("=")[2]
    digits = thumbprint_digits(text)
    if _THUMBPRINT.fullmatch(digits):
        return digits

    if re.fullmatch("[0-9A-F]{40}", digits):
        raise info.error(member, "has 40 hex digits, those of SHA-1; SHA-256 has 64")

    raise info.error(member, "is not 64 hex digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Certificates:
    """A primary and a secondary certificate, either of which authenticates a device."""

    member: ClassVar[str]
    """Their name in the service API."""
    primary: EnrolledCertificate | None
    """None while there is only the other one."""
    secondary: EnrolledCertificate | None = None
    """For roll-over; None if there is none."""

    @classmethod
    def of(
        cls,
        primary: x509.Certificate | str | bytes,
        secondary: x509.Certificate | str | bytes | None,
    ) -> Self:
        """Enroll certificates.

        Raises:
            CertificateError: If one cannot be read.
        """
        return cls(
            primary=EnrolledCertificate.of(primary),
            secondary=None if secondary is None else EnrolledCertificate.of(secondary),
        )

    def to_json(self, write: Callable[[EnrolledCertificate], dict[str, Any]]) -> dict[str, Any]:
        """Write an `attestation`, and each certificate with `write`."""
        pair = {"primary": self.primary, "secondary": self.secondary}
        enrolled = {name: write(each) for name, each in pair.items() if each is not None}
        return {"type": "x509", "x509": {self.member: enrolled}}


class ClientCertificates(_Certificates):
    """The device's own certificate, primary or secondary. For individual enrollments."""

    __slots__ = ()
    member = "clientCertificates"


class SigningCertificates(_Certificates):
    """The CA of the devices' certificates, primary or secondary. For enrollment groups."""

    __slots__ = ()
    member = "signingCertificates"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaReferences:
    """A CA certificate of the instance, primary or secondary, by name. For groups."""

    primary: str | None
    """Name of a CA certificate of the instance; None while there is only the other one."""
    secondary: str | None = None
    """For roll-over; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetricKeys:
    """One of two symmetric keys, or a key derived from one of them."""

    primary: str | None = field(default=None, repr=False)
    """Base64; None for the service to generate one."""
    secondary: str | None = field(default=None, repr=False)
    """Base64; None for the service to generate one."""

    def completed(self, *, rng: random.Random) -> SymmetricKeys:
        """Generate the keys that are missing."""
        return SymmetricKeys(
            primary=self.primary or symmetric_key(rng=rng),
            secondary=self.secondary or symmetric_key(rng=rng),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmKeys:
    """A TPM with this endorsement key. For individual enrollments."""

    endorsement_key: str
    """Base64 of its public half."""
    storage_root_key: str | None = None
    """Base64 of its public half; None if it is unknown."""


Mechanism: TypeAlias = (
    ClientCertificates | SigningCertificates | CaReferences | SymmetricKeys | TpmKeys
)


def read_mechanism(enrollment: JsonObject) -> Mechanism:
    """Read the `attestation` of an enrollment.

    Raises:
        ConfigurationError: If it cannot be read; the message says where.
    """
    attestation = enrollment.required_object("attestation")
    kind = attestation.required_string("type")
    match kind.lower():
        case "x509":
            return _read_x509(attestation.required_object("x509"))
        case "symmetrickey":
            return _read_keys(attestation.object("symmetricKey"))
        case "tpm":
            return read_tpm_keys(attestation.required_object("tpm"))
        case _:
            raise attestation.error("type", f"is {kind!a}, not x509, symmetricKey or tpm")


def fill_in_known(mechanism: Mechanism, older: Mechanism) -> Mechanism:
    """Fill in keys and certificates from the previous version of an enrollment.

    The service API shows neither, so clients cannot send them back.
    """
    match mechanism, older:
        case SymmetricKeys(), SymmetricKeys():
            return SymmetricKeys(
                primary=mechanism.primary or older.primary,
                secondary=mechanism.secondary or older.secondary,
            )
        case ClientCertificates() | SigningCertificates(), (
            ClientCertificates() | SigningCertificates()
        ):
            known = {each.thumbprint: each for each in (older.primary, older.secondary) if each}
            return replace(
                mechanism,
                primary=_whole(mechanism.primary, known),
                secondary=_whole(mechanism.secondary, known),
            )
        case _:
            return mechanism


def mechanism_to_json(mechanism: Mechanism) -> dict[str, Any]:
    """Write an `attestation` as the service API takes it."""
    match mechanism:
        case ClientCertificates() | SigningCertificates():
            return mechanism.to_json(EnrolledCertificate.to_json)
        case CaReferences():
            names = {"primary": mechanism.primary, "secondary": mechanism.secondary}
            return {"type": "x509", "x509": {"caReferences": _without_none(names)}}
        case SymmetricKeys():
            keys = {"primaryKey": mechanism.primary, "secondaryKey": mechanism.secondary}
            return {"type": "symmetricKey", "symmetricKey": _without_none(keys)}
        case TpmKeys():
            tpm = {
                "endorsementKey": mechanism.endorsement_key,
                "storageRootKey": mechanism.storage_root_key,
            }
            return {"type": "tpm", "tpm": _without_none(tpm)}
        case _:
            assert_never(mechanism)


def _whole(
    certificate: EnrolledCertificate | None, known: Mapping[str, EnrolledCertificate]
) -> EnrolledCertificate | None:
    if certificate is None or certificate.certificate is not None:
        return certificate

    return known.get(certificate.thumbprint, certificate)


def _read_x509(members: JsonObject) -> ClientCertificates | SigningCertificates | CaReferences:
    kinds = ("clientCertificates", "signingCertificates", "caReferences")
    given = [(kind, value) for kind in kinds if (value := members.object(kind)) is not None]
    if len(given) != 1:
        raise members.error("", f"has {len(given)} of {', '.join(kinds)}; one is needed")

    kind, pair = given[0]
    if pair.document.get("primary") is None and pair.document.get("secondary") is None:
        raise pair.error("primary", "is missing")

    if kind == "caReferences":
        return CaReferences(primary=pair.string("primary"), secondary=pair.string("secondary"))

    primary, secondary = (_read_certificate(pair, name) for name in ("primary", "secondary"))
    if kind == ClientCertificates.member:
        return ClientCertificates(primary=primary, secondary=secondary)

    return SigningCertificates(primary=primary, secondary=secondary)


def _read_certificate(pair: JsonObject, name: str) -> EnrolledCertificate | None:
    members = pair.object(name)
    return None if members is None else EnrolledCertificate.read(members)


def _read_keys(members: JsonObject | None) -> SymmetricKeys:
    if members is None:
        return SymmetricKeys()

    return SymmetricKeys(
        primary=_key(members, "primaryKey"), secondary=_key(members, "secondaryKey")
    )


def _key(members: JsonObject, name: str) -> str | None:
    text = _string_or_none(members, name)
    if text is None:
        return None

    if not _SHORTEST_KEY <= len(_decoded(members, name, text)) <= _LONGEST_KEY:
        raise members.error(name, f"is not {_SHORTEST_KEY} to {_LONGEST_KEY} bytes")

    return text


def read_tpm_keys(members: JsonObject) -> TpmKeys:
    """Read the public keys of a TPM, of an enrollment or of a register request.

    Raises:
        ConfigurationError: If they are not base64; the message says where.
    """
    keys = TpmKeys(
        endorsement_key=members.required_string("endorsementKey"),
        storage_root_key=_string_or_none(members, "storageRootKey"),
    )
    _decoded(members, "endorsementKey", keys.endorsement_key)
    if keys.storage_root_key is not None:
        _decoded(members, "storageRootKey", keys.storage_root_key)

    return keys


def _string_or_none(members: JsonObject, name: str) -> str | None:
    """Return a string; an empty one counts as absent, as Microsoft's Java client sends it."""
    return None if members.document.get(name) == "" else members.string(name)


def _decoded(members: JsonObject, name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as exc:
        raise members.error(name, "is not base64") from exc


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
