"""Checks of a certificate chain and its key: which is the leaf, order, validity, strength."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from aiodps.attestation.base import KeyType
from aiodps.attestation.pem import PrivateKey
from aiodps.errors import CertificateError, PrivateKeyError

_MIN_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def sort_chain(
    certificates: Sequence[x509.Certificate], key: PrivateKey
) -> tuple[x509.Certificate, ...]:
    """Return the leaf and its intermediates, in order and without the root.

    Args:
        certificates: The certificates, in any order.
        key: The private key, which identifies the leaf.

    Raises:
        PrivateKeyError: If the key belongs to none of the certificates.
        CertificateError: If there are certificates, but not the one that issued the leaf.
    """
    leaf = _leaf(certificates, key)
    return (leaf, *_intermediates(leaf, certificates))


def _leaf(certificates: Sequence[x509.Certificate], key: PrivateKey) -> x509.Certificate:
    """Return the certificate that the key belongs to."""
    public_key = _public_der(key.public_key())
    for certificate in certificates:
        if _public_der(certificate.public_key()) == public_key:
            return certificate

    raise PrivateKeyError(
        "the private key does not belong to the certificate",
        reason="mismatch",
        hint="`aiodps certs show FILE` on both files shows which belong together",
    )


def _public_der(public_key: object) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]  # every public key has it


def _intermediates(
    leaf: x509.Certificate, certificates: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """Return the intermediates in order, without the root."""
    rest = [certificate for certificate in certificates if certificate != leaf]
    chain: list[x509.Certificate] = []
    below = leaf
    while (above := _issuer(below, rest)) is not None:
        rest.remove(above)
        if above.subject == above.issuer:
            break

        chain.append(above)
        below = above

    if not chain and len(rest) == len(certificates) - 1 and rest:
        raise CertificateError(
            f"the certificate was issued by {below.issuer.rfc4514_string()!a}, which is not "
            "among the given certificates",
            reason="missing_intermediate",
            hint="put the leaf and all its intermediates into one file",
        )

    return chain


def _issuer(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    if certificate.issuer == certificate.subject:
        return None

    return next((one for one in candidates if one.subject == certificate.issuer), None)


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
        f"the certificate {certificate.subject.rfc4514_string()!a} {fault} UTC",
        reason=reason,
        hint=f"renew it, or set the clock of this device, which reads {now:%Y-%m-%d %H:%M} UTC",
    )


def check_strength(key: PrivateKey) -> None:
    """Raise `PrivateKeyError` if TLS servers do not accept a key of this kind."""
    match key:
        case rsa.RSAPrivateKey() if key.key_size < _MIN_RSA_BITS:
            raise PrivateKeyError(
                f"the RSA key has {key.key_size} bits, the minimum is {_MIN_RSA_BITS}",
                reason="weak",
                hint="create a new key: EC P-256, or RSA 2048",
            )
        case ec.EllipticCurvePrivateKey() if not isinstance(key.curve, _CURVES):
            raise PrivateKeyError(
                f"the key uses the curve {key.curve.name}, which TLS servers do not support",
                reason="unsupported_curve",
                hint="create a new key: EC P-256",
            )
        case _:
            return


def key_type(key: PrivateKey) -> KeyType:
    """Return the type of a private key."""
    match key:
        case rsa.RSAPrivateKey():
            return KeyType.RSA
        case ed25519.Ed25519PrivateKey():
            return KeyType.ED25519
        case ed448.Ed448PrivateKey():
            return KeyType.ED448
        case _:
            return KeyType.EC
