"""Attestation mechanisms as enrollments hold them: what a device must prove.

Source of the JSON shapes: Microsoft's REST reference of the DPS service API,
`AttestationMechanism`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias, TypeVar, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.service.json_members import Members
from aiodps.emulator.service.x509_rules import read_certificate, thumbprint
from aiodps.errors import CertificateError

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledCertificate:
    """A certificate in an enrollment, as a whole or by its thumbprint alone."""

    thumbprint: str
    """SHA-256, upper-case hex digits."""
    certificate: x509.Certificate | None = None
    """None if only `info` is known, as the service API shows what it holds."""

    @classmethod
    def of(cls, certificate: x509.Certificate | str | bytes) -> Self:
        """Enrol a certificate.

        Raises:
            CertificateError: If it cannot be read.
        """
        read = read_certificate(certificate)
        return cls(thumbprint=thumbprint(read), certificate=read)

    @classmethod
    def read(cls, members: Members) -> Self:
        """Read `{"certificate": ...}` or `{"info": {"sha256Thumbprint": ...}}`.

        Raises:
            ConfigurationError: If it is neither; the message says where.
        """
        info = members.members("info")
        text = members.text("certificate")
        if text is None and info is not None:
            return cls(thumbprint=info.required_text("sha256Thumbprint").upper())

        try:
            return cls.of(members.required_text("certificate"))
        except CertificateError as exc:
            raise members.fault("certificate", "is neither PEM nor base64 of DER") from exc

    def to_json(self) -> dict[str, Any]:
        """Write what `read` reads."""
        if self.certificate is None:
            return {"info": {"sha256Thumbprint": self.thumbprint}}

        der = self.certificate.public_bytes(Encoding.DER)
        return {"certificate": base64.b64encode(der).decode()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificates:
    """The device shows one of two certificates. For individual enrollments."""

    primary: EnrolledCertificate
    secondary: EnrolledCertificate | None = None
    """For roll-over; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningCertificates:
    """The device's certificate comes from one of two CAs. For enrollment groups."""

    primary: EnrolledCertificate
    secondary: EnrolledCertificate | None = None
    """For roll-over; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaReferences:
    """The device's certificate comes from one of two CAs of the instance. For groups."""

    primary: str
    """Name of a CA certificate of the instance."""
    secondary: str | None = None
    """For roll-over; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetricKeys:
    """The device signs with one of two keys."""

    primary: str | None = field(default=None, repr=False)
    """Base64; None if the service is to make one."""
    secondary: str | None = field(default=None, repr=False)
    """Base64; None if the service is to make one."""


Mechanism: TypeAlias = ClientCertificates | SigningCertificates | CaReferences | SymmetricKeys


def read_mechanism(enrollment: Members) -> Mechanism:
    """Read the `attestation` of an enrollment.

    Raises:
        ConfigurationError: If it cannot be read; the message says where.
    """
    attestation = enrollment.required_members("attestation")
    kind = attestation.required_text("type")
    match kind:
        case "x509":
            return _read_x509(attestation.required_members("x509"))
        case "symmetricKey":
            return _read_keys(attestation.members("symmetricKey"))
        case _:
            raise attestation.fault("type", f"is {kind!a}, not x509 or symmetricKey")


def mechanism_to_json(mechanism: Mechanism) -> dict[str, Any]:
    """Write what `read_mechanism` reads."""
    match mechanism:
        case ClientCertificates():
            pair = _pair(mechanism.primary, mechanism.secondary, EnrolledCertificate.to_json)
            return {"type": "x509", "x509": {"clientCertificates": pair}}
        case SigningCertificates():
            pair = _pair(mechanism.primary, mechanism.secondary, EnrolledCertificate.to_json)
            return {"type": "x509", "x509": {"signingCertificates": pair}}
        case CaReferences():
            pair = _pair(mechanism.primary, mechanism.secondary, str)
            return {"type": "x509", "x509": {"caReferences": pair}}
        case SymmetricKeys():
            keys = {"primaryKey": mechanism.primary, "secondaryKey": mechanism.secondary}
            return {"type": "symmetricKey", "symmetricKey": _without_none(keys)}
        case _:
            assert_never(mechanism)


def _read_x509(
    members: Members,
) -> ClientCertificates | SigningCertificates | CaReferences:
    kinds = ("clientCertificates", "signingCertificates", "caReferences")
    given = [(kind, value) for kind in kinds if (value := members.members(kind)) is not None]
    if len(given) != 1:
        raise members.fault("", f"has {len(given)} of {', '.join(kinds)}; one is needed")

    kind, pair = given[0]
    if kind == "caReferences":
        return CaReferences(
            primary=pair.required_text("primary"), secondary=pair.text("secondary")
        )

    primary = EnrolledCertificate.read(pair.required_members("primary"))
    second = pair.members("secondary")
    secondary = None if second is None else EnrolledCertificate.read(second)
    if kind == "clientCertificates":
        return ClientCertificates(primary=primary, secondary=secondary)

    return SigningCertificates(primary=primary, secondary=secondary)


def _read_keys(members: Members | None) -> SymmetricKeys:
    if members is None:
        return SymmetricKeys()

    return SymmetricKeys(
        primary=_key(members, "primaryKey"), secondary=_key(members, "secondaryKey")
    )


def _key(members: Members, name: str) -> str | None:
    text = members.text(name)
    if text is None:
        return None

    try:
        base64.b64decode(text, validate=True)
    except ValueError as exc:
        raise members.fault(name, "is not base64") from exc

    return text


def _pair(
    primary: _Item, secondary: _Item | None, write: Callable[[_Item], object]
) -> dict[str, object]:
    return {"primary": write(primary)} | (
        {} if secondary is None else {"secondary": write(secondary)}
    )


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
