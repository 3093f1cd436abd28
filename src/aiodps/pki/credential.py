"""A certificate with its private key: what an authority issues and a TLS handshake needs."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias, TypeVar, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from aiodps.input_files.private_keys import PrivateKey

KeyType: TypeAlias = Literal["ec", "ec384", "rsa", "ed25519"]
"""EC is P-256 (`ec384`: P-384), RSA has 2048 bits; the service takes all of them. Ed25519 is for
tests of TLS."""

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_KNOWN = 4096
"""Certificates whose properties are cached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A certificate, its private key, and what must be sent along with it."""

    certificate: x509.Certificate
    private_key: PrivateKey = field(repr=False)
    intermediates: tuple[x509.Certificate, ...] = ()
    """The CAs between the certificate and the root, nearest first; empty directly under a root.
    The root is never among them: a verifier has it already."""

    @property
    def name(self) -> str:
        """The subject's CN, empty if it has none; for a device, its registration id."""
        return common_name(self.certificate)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The certificate, then the intermediates: what is sent in a TLS handshake."""
        chain = (self.certificate, *self.intermediates)
        return b"".join(each.public_bytes(Encoding.PEM) for each in chain)

    @property
    def private_key_pem(self) -> bytes:
        """The private key as PKCS#8, not encrypted."""
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @classmethod
    def from_pem(cls, certificate_pem: bytes, private_key_pem: bytes) -> Self:
        """Read a credential from `certificate_pem` and `private_key_pem`.

        Raises:
            ValueError, TypeError: If either is invalid.
        """
        key = load_pem_private_key(private_key_pem, password=None)
        if not isinstance(key, PrivateKey):
            raise TypeError("not a key of a supported type")

        return cls(certificate=x509.load_pem_x509_certificate(certificate_pem), private_key=key)

    def encrypted_key_pem(self, *, password: bytes) -> bytes:
        """Return the private key as PKCS#8, encrypted with a password."""
        encryption = BestAvailableEncryption(password)
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def new_private_key(key_type: KeyType) -> PrivateKey:
    """Generate a private key; RSA takes a thousand times as long as the others."""
    match key_type:
        case "ec":
            return ec.generate_private_key(ec.SECP256R1())
        case "ec384":
            return ec.generate_private_key(ec.SECP384R1())
        case "rsa":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            assert_never(key_type)


@functools.lru_cache(maxsize=_KNOWN)
def common_name(certificate: x509.Certificate) -> str:
    """Return the subject's first CN, empty if it has none."""
    with warnings.catch_warnings(action="ignore"):  # of a foreign CN that is too long
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)

    return str(names[0].value) if names else ""


def extension(
    source: x509.Certificate | x509.CertificateSigningRequest, kind: type[_Extension]
) -> _Extension | None:
    """Return the value of an extension, or None if it is absent."""
    try:
        return source.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


@functools.lru_cache(maxsize=_KNOWN)
def is_ca(certificate: x509.Certificate) -> bool:
    """Whether the certificate says that it may issue others."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def is_root(certificate: x509.Certificate) -> bool:
    """Whether the certificate names itself as its issuer."""
    return certificate.issuer == certificate.subject
