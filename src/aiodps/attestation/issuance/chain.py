"""The issued certificate chain in a response, and its checks."""

from __future__ import annotations

import base64
import itertools
import warnings
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from aiodps.errors import IssuanceError
from aiodps.input_files.certificates import UNREADABLE, load_der
from aiodps.models import Assignment
from aiodps.protocol.limits import MAX_CHAIN

PEM: Final = b"-----BEGIN"


def check_chain(
    assignment: Assignment, *, public_key: bytes, registration_id: str
) -> tuple[x509.Certificate, ...]:
    """Check the chain that was issued with an assignment, and return it.

    Args:
        assignment: The answer.
        public_key: The public key in the request, as DER.
        registration_id: The CN in the request.

    Raises:
        IssuanceError: If nothing was issued, or not to this device and key; `reason` says why.
    """
    try:
        return _checked(assignment.issued_certificate_chain, public_key, registration_id)
    except IssuanceError as error:
        error.assigned_hub, error.device_id = assignment.assigned_hub, assignment.device_id
        raise


def _checked(
    elements: Sequence[str], public_key: bytes, registration_id: str
) -> tuple[x509.Certificate, ...]:
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
        names, key = common_names(chain[0]), public_der(chain[0])
    except UNREADABLE as exc:
        raise _refused("cannot be read", "unreadable") from exc

    if key != public_key:
        raise _refused("is for another key than the device's", "key")

    if not is_name_of(names, registration_id):
        raise _refused(f"is for the CN {', '.join(names)[:140]!a}", "cn")

    for certificate, issuer in itertools.pairwise(chain):
        _check_link(certificate, issuer)

    return chain


def _certificate(element: str) -> x509.Certificate:
    """Read an element of a chain: base64 of DER, or of PEM, which has been seen as well."""
    data = base64.b64decode(element, validate=True)
    if data.startswith(PEM):
        with warnings.catch_warnings(action="ignore"):  # as `load_der`
            data = x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)

    return load_der(data)


def _check_link(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE) as exc:
        name = certificate.subject.rfc4514_string()[:140]
        raise _refused(f"has a hole: {name!a} was not issued by the next", "chain") from exc


def _refused(fault: str, reason: str) -> IssuanceError:
    return IssuanceError(f"the issued certificate chain {fault}", reason=reason)


def common_names(source: x509.Certificate | x509.CertificateSigningRequest) -> list[str]:
    """Return every CN of a certificate or request."""
    with warnings.catch_warnings(action="ignore"):  # of a CN that is too long
        names = source.subject.get_attributes_for_oid(NameOID.COMMON_NAME)

    return [str(name.value) for name in names]


def is_name_of(names: Sequence[str], registration_id: str) -> bool:
    """Whether the only CN is a registration id, in any case; other alphabets have no case."""
    return "".join(names).isascii() and [each.lower() for each in names] == [
        registration_id.lower()
    ]


def public_der(source: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    """Return the public key of a certificate or request."""
    return source.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
