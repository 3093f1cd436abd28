"""Certificates of untrusted clients: names, thumbprints, signatures, and the path to a CA.

Reading any part of such a certificate may fail; one that cannot be read proves nothing.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import functools
import warnings
from collections.abc import Callable, Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from aiodps.errors import CertificateError
from aiodps.input_files.certificates import UNREADABLE
from aiodps.pki.credential import common_name, is_ca

_PEM = b"-----BEGIN"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_KNOWN = 4096
"""Valid signatures, names and thumbprints that are cached: about 6 MB of certificates."""
_PATHS = 1024
"""Paths that are cached: a device comes back for the outcome of its registration."""


def read_certificate(certificate: x509.Certificate | str | bytes) -> x509.Certificate:
    """Read a certificate in any form that Azure's tools send.

    Args:
        certificate: PEM, DER, or base64 of either; the first of several PEM blocks.

    Raises:
        CertificateError: If it is not a certificate.
    """
    if isinstance(certificate, x509.Certificate):
        return certificate

    try:
        data = certificate.encode() if isinstance(certificate, str) else certificate
        data = _without_base64(data)
        load = x509.load_pem_x509_certificate if _PEM in data else x509.load_der_x509_certificate
        with warnings.catch_warnings(action="ignore"):  # of serial numbers below one
            return load(data)
    except UNREADABLE as exc:
        raise CertificateError(
            "not a certificate",
            reason="unreadable",
            hint="give PEM, DER, or base64 of either",
        ) from exc


@functools.lru_cache(maxsize=_KNOWN)
def thumbprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate as upper-case hex digits."""
    return certificate.fingerprint(hashes.SHA256()).hex().upper()


@functools.lru_cache(maxsize=_KNOWN)
def subject(certificate: x509.Certificate) -> str:
    """Return the subject, like `CN=my-root`; empty if it cannot be read."""
    return _part(lambda: f"{certificate.subject.rfc4514_string()}")


def issuer_name(certificate: x509.Certificate) -> str:
    """Return the name of the issuer, like `CN=my-root`; empty if it cannot be read."""
    return _part(lambda: f"{certificate.issuer.rfc4514_string()}")


def certificate_info(certificate: x509.Certificate) -> dict[str, str | int]:
    """Describe a certificate as the service API does, with all eight members.

    Source: Microsoft's REST reference of the DPS service API, `X509CertificateInfo`.
    """
    return {
        "subjectName": subject(certificate),
        "sha1Thumbprint": certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303
        "sha256Thumbprint": thumbprint(certificate),
        "issuerName": issuer_name(certificate),
        "notBeforeUtc": _part(lambda: f"{certificate.not_valid_before_utc:{_TIME}}"),
        "notAfterUtc": _part(lambda: f"{certificate.not_valid_after_utc:{_TIME}}"),
        "serialNumber": _part(lambda: f"{certificate.serial_number:x}"),
        "version": certificate.version.value + 1,
    }


def is_named(certificate: x509.Certificate, registration_id: str) -> bool:
    """Whether the certificate's CN is the registration id; casing is ignored."""
    name = _common_name(certificate)
    # Beyond ASCII there are letters that become ASCII ones in lower case, such as the Kelvin sign.
    return name.isascii() and name.lower() == registration_id.lower()


@functools.lru_cache(maxsize=_KNOWN)
def _common_name(certificate: x509.Certificate) -> str:
    """Return the CN; empty if it cannot be read, and as a registration id never is."""
    try:
        return common_name(certificate)
    except UNREADABLE:
        return ""


def are_valid_at(certificates: Sequence[x509.Certificate], now: float) -> bool:
    """Whether all certificates are valid at a time, given in seconds since 1970."""
    time = dt.datetime.fromtimestamp(now, dt.UTC)
    try:
        for each in certificates:
            if not each.not_valid_before_utc <= time <= each.not_valid_after_utc:
                return False
    except UNREADABLE:
        return False

    return True


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the certificate names the issuer and is signed by its key."""
    try:
        _check_signature(certificate, issuer)
    except (InvalidSignature, *UNREADABLE):
        return False

    return True


@functools.lru_cache(maxsize=_PATHS)
def path_up(
    leaf: x509.Certificate,
    presented: tuple[x509.Certificate, ...],
    anchors: tuple[x509.Certificate, ...],
) -> tuple[x509.Certificate, ...]:
    """Return the CAs above a leaf, nearest first, as far as they are known.

    Every step is a certificate that the device presented; only the last one may be an anchor
    alone. A missing intermediate is never filled in, and no certificate stands above itself.
    """
    path: list[x509.Certificate] = []
    top, unused = leaf, [each for each in presented if each != leaf]
    while (above := _issuer_of(top, unused)) is not None:
        path.append(above)
        unused = [each for each in unused if each != above]
        top = above

    anchor = _issuer_of(top, [each for each in anchors if each != leaf])
    if anchor is not None and anchor not in path:
        path.append(anchor)

    return tuple(path)


def _part(read: Callable[[], str]) -> str:
    """Read a part of a certificate as a string; empty if it cannot be read."""
    with warnings.catch_warnings(action="ignore"):  # of names longer than X.509 allows
        try:
            return read()
        except UNREADABLE:
            return ""


def _issuer_of(
    certificate: x509.Certificate, candidates: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    issuers = (each for each in candidates if is_signed_by(certificate, each) and may_sign(each))
    return next(issuers, None)


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether the certificate says that it is a CA's."""
    try:
        return is_ca(certificate)
    except UNREADABLE:
        return False


@functools.lru_cache(maxsize=_KNOWN)
def _check_signature(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Raise unless the issuer signed the certificate; only valid signatures are cached."""
    certificate.verify_directly_issued_by(issuer)


def _without_base64(data: bytes) -> bytes:
    if _PEM in data:
        return data

    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return data
