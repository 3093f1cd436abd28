"""A certificate chain: the intermediates in order, validity, strength, and what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aiodps.attestation.base import KeyType
from aiodps.attestation.tls_key import is_rsa_pss
from aiodps.errors import CertificateError, PrivateKeyError
from aiodps.input_files.certificates import UNREADABLE

_MIN_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_FOR_CLIENTS: Final = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def sort_chain(
    leaf: x509.Certificate, certificates: Sequence[x509.Certificate]
) -> tuple[tuple[x509.Certificate, ...], tuple[str, ...]]:
    """Return what the device sends, and a remark if certificates were given that are not linked.

    The issuer of each certificate is chosen by its signature, because CAs that were renewed have
    the same name as before. The root is left out.

    Args:
        leaf: The device's certificate.
        certificates: All certificates that were given, in any order.

    Returns:
        The leaf and its intermediates, nearest first; and sentences for the user. Those about the
        chain itself are `remarks_about` it.
    """
    rest = [each for each in certificates if each != leaf]
    chain = [leaf]
    while rest and (above := _issuer(chain[-1], rest)) is not None:
        rest.remove(above)
        if _is_self_signed(above):
            return tuple(chain), ()

        chain.append(above)

    return tuple(chain), tuple(_hole(chain, rest))


def _issuer(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    """Return the issuer; of two with one key the one that is valid for longer."""
    if _is_self_signed(certificate):
        return None

    named = [each for each in candidates if each.subject == certificate.issuer]
    # Names that differ in bytes may be the same by RFC 5280, such as in their casing.
    others = [each for each in candidates if each not in named]
    for group in (named, others):
        signers = [each for each in group if _signed_by(certificate, each)]
        if signers:
            return max(signers, key=lambda each: each.not_valid_after_utc)

    return None


def _is_self_signed(certificate: x509.Certificate) -> bool:
    # Names first: a signature costs as much to check as the rest of loading a credential.
    return certificate.subject == certificate.issuer and _signed_by(certificate, certificate)


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate is signed by an issuer's key; by name if that cannot be checked."""
    try:
        key = issuer.public_key()
        parameters = certificate.signature_algorithm_parameters
        signature, signed = certificate.signature, certificate.tbs_certificate_bytes
        match key, parameters:
            case rsa.RSAPublicKey(), padding.PKCS1v15() | padding.PSS():
                digest = certificate.signature_hash_algorithm
                assert digest is not None  # noqa: S101 (only Edwards curves have none)
                key.verify(signature, signed, parameters, digest)
            case ec.EllipticCurvePublicKey(), ec.ECDSA():
                key.verify(signature, signed, parameters)
            case ((ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey()), None):
                key.verify(signature, signed)
            case _:
                return False
    except InvalidSignature:
        return False
    except UNREADABLE:
        return issuer.subject == certificate.issuer

    return True


def _hole(chain: Sequence[x509.Certificate], unused: Sequence[x509.Certificate]) -> Iterator[str]:
    """Describe a gap between the chain and certificates that were given."""
    top = chain[-1]
    subjects = [each.subject for each in chain]
    loose = [each for each in unused if each.subject not in subjects]
    if loose and not _is_self_signed(top):
        yield (
            f"the chain has a hole: {_name(top)} was issued by {top.issuer.rfc4514_string()!a}, "
            f"which is not among the given certificates, so {_name(loose[0])} is not sent"
        )


def remarks_about(chain: Sequence[x509.Certificate]) -> Iterator[str]:
    """Describe what the service may refuse in the certificates that a device sends.

    Source: answers of Microsoft's engineers to users: azure-iot-sdk-c pull request 1519 and
    azure-sdk-for-c pull request 2006 demand CA:FALSE and clientAuth.
    """
    leaf, *above = chain
    if _is_ca(leaf):
        yield f"the device's certificate {_name(leaf)} is a CA; the service requires CA:FALSE"

    usage = _extension(leaf, x509.ExtendedKeyUsage)
    if usage is not None and _FOR_CLIENTS.isdisjoint(usage):
        yield f"the extended key usage of {_name(leaf)} lacks clientAuth"

    key_usage = _extension(leaf, x509.KeyUsage)
    if key_usage is not None and not key_usage.digital_signature:
        yield f"the key usage of {_name(leaf)} lacks digitalSignature, which TLS needs"

    for depth, ca in enumerate(above):
        yield from _ca_remarks(ca, depth)


def _ca_remarks(ca: x509.Certificate, below: int) -> Iterator[str]:
    """Describe what is wrong with an intermediate; `below` CAs are between it and the leaf."""
    constraints = _extension(ca, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        yield f"{_name(ca)} issues a certificate of the chain, and is not a CA"
    elif constraints.path_length is not None and constraints.path_length < below:
        yield f"{_name(ca)} allows {constraints.path_length} CAs below it, and has {below}"

    usage = _extension(ca, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        yield f"the key usage of {_name(ca)} lacks keyCertSign"


def _is_ca(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None


def _name(certificate: x509.Certificate) -> str:
    return ascii(certificate.subject.rfc4514_string())


def common_name(certificate: x509.Certificate) -> str:
    """Return the first CN of a certificate, empty if there is none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def check_validity(certificate: x509.Certificate, now: datetime) -> None:
    """Raise `CertificateError` if a certificate has expired, or is not valid yet."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begins <= now <= ends:
        return

    reason = "expired" if now > ends else "not_yet_valid"
    fault = (
        f"expired on {ends:%Y-%m-%d %H:%M}"
        if now > ends
        else f"is valid from {begins:%Y-%m-%d %H:%M}"
    )
    raise CertificateError(
        f"the certificate {_name(certificate)} {fault} UTC",
        reason=reason,
        hint=f"renew it, or set the clock of this device, which reads {now:%Y-%m-%d %H:%M} UTC",
    )


def key_type(leaf: x509.Certificate) -> KeyType:
    """Return the type of the key of a device's certificate.

    Raises:
        PrivateKeyError: If TLS servers do not accept a key of this kind.
    """
    match leaf.public_key():
        case ec.EllipticCurvePublicKey(curve=curve):
            if isinstance(curve, _CURVES):
                return KeyType.EC

            raise PrivateKeyError(
                f"the key uses the curve {curve.name}, which TLS servers do not support",
                reason="unsupported_curve",
                hint="create a new key: EC P-256",
            )
        case rsa.RSAPublicKey(key_size=bits):
            if bits >= _MIN_RSA_BITS:
                return KeyType.RSA_PSS if is_rsa_pss(leaf) else KeyType.RSA

            raise PrivateKeyError(
                f"the RSA key has {bits} bits, the minimum is {_MIN_RSA_BITS}",
                reason="weak",
                hint="create a new key: EC P-256, or RSA 2048",
            )
        case ed25519.Ed25519PublicKey():
            return KeyType.ED25519
        case ed448.Ed448PublicKey():
            return KeyType.ED448
        case _:
            return KeyType.EC
