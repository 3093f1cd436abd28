"""Certificate signing requests in registrations: the `csr` member, read and checked.

Source: the published specification of the device API, 2026-11-01: base64 of DER, the CN is the
registration id; the length is the limit of Microsoft's C client. That what is not base64 of DER
is not deserialized was seen on the wire; the code of the other refusals is a guess.
"""

from __future__ import annotations

import base64
import warnings
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.input_files.certificates import MAX_COMMON_NAME, UNREADABLE

MAX_CSR: Final = 8192
"""Characters of base64."""
_MIN_RSA = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def read_csr(csr: object, *, registration_id: str) -> x509.CertificateSigningRequest:
    """Read the `csr` of a device.

    Args:
        csr: As in the body.
        registration_id: Of the device.

    Raises:
        Refusal: 400, if it is not a CSR of this device.
    """
    if isinstance(csr, str) and len(csr) > MAX_CSR:
        raise _bad(f"is longer than {MAX_CSR} characters")

    with warnings.catch_warnings(action="ignore"):  # of names longer than X.509 allows
        request = _load(csr)
        try:
            _check(request, registration_id)
        except UNREADABLE as exc:
            raise _bad(f"cannot be read: {exc}"[:200]) from exc

    return request


def _load(csr: object) -> x509.CertificateSigningRequest:
    if not isinstance(csr, str):
        raise _not_deserialized("is not a string")

    try:
        der = base64.b64decode(csr, validate=True)
    except ValueError as exc:
        raise _not_deserialized("is not base64, without PEM's lines") from exc

    try:
        return x509.load_der_x509_csr(der)
    except UNREADABLE as exc:
        raise _not_deserialized("is not base64 of a PKCS #10 request in DER") from exc


def _check(request: x509.CertificateSigningRequest, registration_id: str) -> None:
    found = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names = [str(each.value) for each in found]
    # Beyond ASCII there are letters that become ASCII ones in lower case, such as the Kelvin sign.
    if [each.isascii() and each.lower() for each in names] != [registration_id.lower()]:
        raise _bad("has another CN than the registration id")

    if len(registration_id) > MAX_COMMON_NAME:
        raise _bad(f"has a CN of more than {MAX_COMMON_NAME} characters")

    if not _is_usable(request.public_key()):
        raise _bad(f"is for a key that is neither RSA of {_MIN_RSA} bits or more nor EC of NIST")

    if not request.is_signature_valid:
        raise _bad("is not signed with its own key")


def _is_usable(key: object) -> bool:
    match key:
        case rsa.RSAPublicKey(key_size=bits):
            return bits >= _MIN_RSA
        case ec.EllipticCurvePublicKey(curve=curve):
            return isinstance(curve, _CURVES)
        case _:
            return False


def _not_deserialized(what: str) -> Refusal:
    return Refusal(ErrorCode.DESERIALIZATION, "Deserialization error", why=f"the csr {what}")


def _bad(what: str) -> Refusal:
    return Refusal(ErrorCode.BAD_REQUEST, "BadRequest", why=f"the csr {what}")
