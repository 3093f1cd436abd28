"""Attestation mechanisms as enrollments hold them: what a device must prove.

Source of the JSON shapes: Microsoft's REST reference of the DPS service API,
`AttestationMechanism`.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeAlias, TypeVar, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from aiodps.emulator.protocol.formats import symmetric_key
from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.emulator.protocol.x509 import certificate_info, read_certificate, thumbprint
from aiodps.errors import CertificateError

_SHORTEST_KEY = 16
_LONGEST_KEY = 64
"""Bytes of a symmetric key (Microsoft Learn, "Symmetric key attestation")."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledCertificate:
    """A certificate in an enrollment, as a whole or by its thumbprint alone."""

    thumbprint: str
    """SHA-256, upper-case hex digits."""
    certificate: x509.Certificate | None = None
    """None if only `info` is known, as the service API shows what it holds."""
    described: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The `info` as it was given; empty if the certificate says it itself."""

    @classmethod
    def of(cls, certificate: x509.Certificate | str | bytes) -> Self:
        """Enrol a certificate.

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
            digits = info.required_string("sha256Thumbprint").upper()
            return cls(thumbprint=digits, described=dict(info.document))

        try:
            return cls.of(members.required_string("certificate"))
        except CertificateError as exc:
            raise members.error("certificate", "is neither PEM nor base64 of DER") from exc

    @property
    def info(self) -> dict[str, Any]:
        """What the service API tells of it."""
        if self.certificate is None:
            return {**self.described, "sha256Thumbprint": self.thumbprint}

        return certificate_info(self.certificate)

    def to_json(self) -> dict[str, Any]:
        """Write what `read` reads."""
        if self.certificate is None:
            return {"info": self.info}

        der = self.certificate.public_bytes(Encoding.DER)
        return {"certificate": base64.b64encode(der).decode()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificates:
    """The device shows one of two certificates. For individual enrollments."""

    primary: EnrolledCertificate | None
    """None while there is only the other one."""
    secondary: EnrolledCertificate | None = None
    """For roll-over; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningCertificates:
    """The device's certificate comes from one of two CAs. For enrollment groups."""

    primary: EnrolledCertificate | None
    """None while there is only the other one."""
    secondary: EnrolledCertificate | None = None
    """For roll-over; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaReferences:
    """The device's certificate comes from one of two CAs of the instance. For groups."""

    primary: str | None
    """Name of a CA certificate of the instance; None while there is only the other one."""
    secondary: str | None = None
    """For roll-over; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetricKeys:
    """The device signs with one of two keys."""

    primary: str | None = field(default=None, repr=False)
    """Base64; None if the service is to make one."""
    secondary: str | None = field(default=None, repr=False)
    """Base64; None if the service is to make one."""

    def completed(self, *, rng: random.Random) -> SymmetricKeys:
        """Return them with the keys made that are missing."""
        return SymmetricKeys(
            primary=self.primary or symmetric_key(rng=rng),
            secondary=self.secondary or symmetric_key(rng=rng),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmKeys:
    """The device has the TPM of this endorsement key. For individual enrollments."""

    endorsement_key: str
    """Base64 of its public half."""
    storage_root_key: str | None = None
    """Base64 of its public half; None if it is not known."""


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
            return _read_tpm(attestation.required_object("tpm"))
        case _:
            raise attestation.error("type", f"is {kind!a}, not x509, symmetricKey or tpm")


def fill_in_known(mechanism: Mechanism, older: Mechanism) -> Mechanism:
    """Fill in what was left out because the one before, of the same kind, has it already.

    The service API shows neither keys nor certificates, only that they are there.
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


def _read_x509(
    members: JsonObject,
) -> ClientCertificates | SigningCertificates | CaReferences:
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
    if kind == "clientCertificates":
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
    text = _text_or_nothing(members, name)
    if text is None:
        return None

    if not _SHORTEST_KEY <= len(_decoded(members, name, text)) <= _LONGEST_KEY:
        raise members.error(name, f"is not {_SHORTEST_KEY} to {_LONGEST_KEY} bytes")

    return text


def _read_tpm(members: JsonObject) -> TpmKeys:
    keys = TpmKeys(
        endorsement_key=members.required_string("endorsementKey"),
        storage_root_key=_text_or_nothing(members, "storageRootKey"),
    )
    _decoded(members, "endorsementKey", keys.endorsement_key)
    return keys


def _text_or_nothing(members: JsonObject, name: str) -> str | None:
    """Return a text; an empty one is none, as Microsoft's Java client sends it."""
    return None if members.document.get(name) == "" else members.string(name)


def _decoded(members: JsonObject, name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as exc:
        raise members.error(name, "is not base64") from exc


def _pair(
    primary: _Item | None, secondary: _Item | None, write: Callable[[_Item], object]
) -> dict[str, object]:
    pair = {"primary": primary, "secondary": secondary}
    return {name: write(each) for name, each in pair.items() if each is not None}


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
