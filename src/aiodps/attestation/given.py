"""What an `X509` is made of, in any format: certificates and the private key of one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography import x509

from aiodps.attestation.key_reference import KeyReference, find_reference
from aiodps.attestation.tls_key import TlsKey
from aiodps.errors import PrivateKeyError
from aiodps.input_files.certificates import load_certificates
from aiodps.input_files.origin import Origin
from aiodps.input_files.pkcs12 import Bundle, is_bundle, open_bundle
from aiodps.input_files.private_keys import Password, find_key

Key: TypeAlias = TlsKey | KeyReference


@dataclass(frozen=True, slots=True)
class Given:
    """Data in PEM, DER or PKCS#12."""

    data: bytes = field(repr=False)
    origin: Origin


def parse(
    certificate: Given, private_key: Given | None, password: Password
) -> tuple[x509.Certificate, list[x509.Certificate], Key]:
    """Return the device's certificate, all certificates, and the device's key.

    Args:
        certificate: The device's certificate, with its intermediates if any.
        private_key: Its private key; None if it is with the certificate.
        password: Decrypts the key or the PKCS#12 bundle; None if they are not encrypted.

    Raises:
        CertificateError: If there is no certificate, or one is not valid.
        PrivateKeyError: If there is no key, it is not valid, its password is not right, or it
            belongs to none of the certificates.
    """
    certificates, key = _parse(certificate, private_key, password)
    origin = Origin(what="private key", kind="") if private_key is None else private_key.origin
    leaf = key.leaf(certificates, lambda: f"{origin} does not belong to {certificate.origin}")
    return leaf, certificates, key


def _parse(
    certificate: Given, private_key: Given | None, password: Password
) -> tuple[list[x509.Certificate], Key]:
    if not is_bundle(certificate.data):
        certificates = load_certificates(certificate.data, certificate.origin)
        return certificates, _key(private_key or _with_certificate(certificate), password)

    bundle = open_bundle(certificate.data, password, certificate.origin)
    if not bundle.certificates:
        raise certificate.origin.error(
            "contains no certificate", reason="empty", hint="give a bundle with the device's"
        )

    if private_key is not None:
        return bundle.certificates, _key(private_key, password)

    return bundle.certificates, _key_in(bundle, certificate.origin)


def _key(given: Given, password: Password) -> Key:
    if is_bundle(given.data):
        return _key_in(open_bundle(given.data, password, given.origin), given.origin)

    reference = find_reference(given.data, given.origin)
    if reference is not None:
        return KeyReference.read(reference, password, given.origin)

    return TlsKey.read(find_key(given.data, given.origin), password)


def _with_certificate(certificate: Given) -> Given:
    if any(each in certificate.data for each in (b"PRIVATE KEY-----", b"PROVIDER URI-----")):
        origin = Origin(
            what="private key file", kind=PrivateKeyError, path=certificate.origin.path
        )
        return Given(certificate.data, origin)

    raise PrivateKeyError(
        f"no private key was given, and {certificate.origin} contains none",
        reason="no_key",
        hint="give the file of the private key with private_key= (--key)",
    )


def _key_in(bundle: Bundle, origin: Origin) -> TlsKey:
    if bundle.private_key is not None:
        return TlsKey(opened=bundle.private_key)

    raise PrivateKeyError(
        f"{origin} contains no private key for TLS",
        reason="empty",
        hint="export it with its private key, or give the key's own file (--key)",
    )
