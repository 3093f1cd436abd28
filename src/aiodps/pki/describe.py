"""Descriptions of the contents of certificate files, without any private key."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from aiodps.errors import CertificateError
from aiodps.input_files.certificates import UNREADABLE
from aiodps.input_files.origin import Origin
from aiodps.pki.contents import GIVEN, Key, Other, Thing, load
from aiodps.pki.credential import extension, is_ca

Fact: TypeAlias = str | int | bool | list[str] | None

_USAGES = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "client",
    ExtendedKeyUsageOID.SERVER_AUTH: "server",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The description of one item of a file."""

    kind: str
    """The PEM label in lower case: "certificate", "private key", "certificate request", ..."""
    facts: dict[str, Fact]
    """In display order; None means unknown."""


def describe(data: bytes, *, now: dt.datetime, origin: Origin = GIVEN) -> list[Description]:
    """Describe everything in a PEM or DER file, in the order of the file.

    Args:
        data: The file.
        now: Time for the validity, with a time zone.
        origin: Where the data comes from.

    Raises:
        CertificateError: If it is empty, or something cannot be read.
    """
    with warnings.catch_warnings(action="ignore"):  # oddities of foreign certificates
        things = load(data, origin)
        certificates = [thing for thing in things if isinstance(thing, x509.Certificate)]
        try:
            return [_describe(thing, certificates, now) for thing in things]
        except UNREADABLE as exc:
            raise CertificateError(
                "the file holds a certificate or request that cannot be read",
                reason="unreadable",
            ) from exc


def _describe(
    thing: Thing, certificates: Sequence[x509.Certificate], now: dt.datetime
) -> Description:
    match thing:
        case x509.Certificate():
            return Description(
                kind="certificate", facts=_certificate_facts(thing, certificates, now)
            )
        case x509.CertificateSigningRequest():
            return Description(kind="certificate request", facts=_request_facts(thing))
        case Key():
            return Description(kind=thing.kind, facts=_key_facts(thing, certificates))
        case Other(next_step=None):
            return Description(kind=thing.kind, facts={})
        case Other():
            return Description(kind=thing.kind, facts={"next": thing.next_step})


def _certificate_facts(
    certificate: x509.Certificate, certificates: Sequence[x509.Certificate], now: dt.datetime
) -> dict[str, Fact]:
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return {
        "subject": _shown(certificate.subject),
        "issuer": _shown(certificate.issuer),
        "serial_number": f"{certificate.serial_number:X}",
        "valid_from": starts.isoformat(),
        "valid_until": ends.isoformat(),
        "validity": "not yet valid" if now < starts else "expired" if now > ends else "valid",
        "days_left": (ends - now).days,
        "key_type": _key_type(_public_key(certificate)),
        "ca": is_ca(certificate),
        "usage": _usage(certificate),
        "names": _names(certificate),
        "sha1_thumbprint": certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 (what Azure shows)
        "sha256_thumbprint": certificate.fingerprint(hashes.SHA256()).hex().upper(),
        "chain": _link(certificate, certificates),
    }


def _request_facts(request: x509.CertificateSigningRequest) -> dict[str, Fact]:
    return {
        "subject": _shown(request.subject),
        "key_type": _key_type(_public_key(request)),
        "names": _names(request),
        "signature_valid": request.is_signature_valid,
    }


def _key_facts(key: Key, certificates: Sequence[x509.Certificate]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"key_type": _key_type(key.public_key)}
    if key.encrypted is not None:
        facts["encrypted"] = key.encrypted

    if key.public_key is not None and certificates:
        own = [
            number
            for number, certificate in enumerate(certificates, start=1)
            if _same_key(_public_key(certificate), key.public_key)
        ]
        facts["belongs_to"] = f"certificate {own[0]}" if own else "no certificate in this file"

    return facts


def _link(certificate: x509.Certificate, certificates: Sequence[x509.Certificate]) -> str:
    """Describe where in the file the issuer is, by signature, not by name alone."""
    if certificate.issuer == certificate.subject and _issued(certificate, by=certificate):
        return "self-signed, the chain ends here"

    place = certificates.index(certificate)
    issuers = [
        number
        for number, other in enumerate(certificates)
        if other is not certificate and _issued(certificate, by=other)
    ]
    if not issuers:
        namesakes = [each for each in certificates if each.subject == certificate.issuer]
        wrong = (
            "a certificate of its name has another key"
            if namesakes
            else "which is right if it is the root"
        )
        return f"the issuer is not in this file, {wrong}"

    if place + 1 in issuers:
        return f"issued by certificate {place + 2}"

    return f"issued by certificate {issuers[0] + 1}, which should come right after it"


def _issued(certificate: x509.Certificate, *, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (*UNREADABLE, InvalidSignature):
        return False

    return True


def _public_key(source: x509.Certificate | x509.CertificateSigningRequest) -> object | None:
    try:
        return source.public_key()
    except UNREADABLE:
        return None


def _same_key(one: object | None, other: object) -> bool:
    """Compare encodings: keys of different kinds have no equality."""
    return one is not None and _encoded(one) == _encoded(other)


def _encoded(public_key: object) -> bytes:
    encoded = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]  # all of cryptography's public keys have it
    assert isinstance(encoded, bytes)  # noqa: S101
    return encoded


def _key_type(public_key: object | None) -> str | None:
    match public_key:
        case None:
            return None
        case rsa.RSAPublicKey(key_size=bits):
            return f"RSA {bits}"
        case ec.EllipticCurvePublicKey(curve=curve):
            return f"EC {_CURVES.get(curve.name, curve.name)}"
        case _:
            return type(public_key).__name__.removesuffix("PublicKey")


_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def _usage(certificate: x509.Certificate) -> list[str]:
    usage = extension(certificate, x509.ExtendedKeyUsage) or ()
    return [_USAGES.get(each, each.dotted_string) for each in usage]


def _names(source: x509.Certificate | x509.CertificateSigningRequest) -> list[str]:
    names = extension(source, x509.SubjectAlternativeName) or ()
    return [_printable(str(name.value)) for name in names]


def _shown(name: x509.Name) -> str:
    return _printable(name.rfc4514_string())


def _printable(text: str) -> str:
    """Escape control characters of terminals."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
