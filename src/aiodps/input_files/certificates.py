"""Certificates from PEM and DER, and what all parsing of X.509 has in common."""

from __future__ import annotations

import warnings
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from aiodps.input_files.der import elements, is_der
from aiodps.input_files.formats import CERTIFICATE, of_der, of_label, unexpected
from aiodps.input_files.origin import Origin
from aiodps.input_files.pem import Block, blocks

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    KeyError,  # before 50, of a string in a name whose type it does not know
)
"""What `cryptography` raises for an invalid certificate or key, when it is loaded or accessed."""
MAX_COMMON_NAME: Final = 64
"""Characters of a CN, bytes of UTF-8 for names made here; RFC 5280 A.1, ub-common-name."""


def load_certificates(data: bytes, origin: Origin) -> list[x509.Certificate]:
    """Load all certificates from PEM or DER, in the order of the data.

    Raises:
        ProvisioningError: Of the origin's kind, if there is none, or one is not valid.
    """
    return [_load(der, origin) for der in certificate_ders(data, origin)]


def certificate_ders(data: bytes, origin: Origin) -> list[bytes]:
    """Return all certificates as DER, in the order of the data; their content is not parsed.

    Raises:
        ProvisioningError: Of the origin's kind, if there is none.
    """
    if is_der(data):
        found = [each.whole for each in elements(data) if of_der(each.whole) is CERTIFICATE]
    else:
        found = [
            _without_trust(block, origin)
            for block in blocks(data, origin)
            if of_label(block.label) is CERTIFICATE
        ]

    if found:
        return found

    raise unexpected(data, origin, wanted="a certificate")


def _without_trust(block: Block, origin: Origin) -> bytes:
    """Return a certificate as DER, without what OpenSSL's TRUSTED CERTIFICATE appends."""
    der = block.der(origin)
    found = elements(der)
    return found[0].whole if found else der


def _load(der: bytes, origin: Origin) -> x509.Certificate:
    try:
        return load_der(der)
    except UNREADABLE as exc:
        raise origin.error(
            "contains something that is not a certificate",
            reason="not_pem",
            hint="`openssl x509 -in FILE -text` shows what OpenSSL reads in it",
        ) from exc


def load_der(der: bytes) -> x509.Certificate:
    """Load one certificate, whose names can be read; raises one of `UNREADABLE`, never warns."""
    with warnings.catch_warnings(action="ignore"):  # of serial numbers below one, long names
        certificate = x509.load_der_x509_certificate(der)
        _ = certificate.subject, certificate.issuer  # which are not parsed before

    return certificate
