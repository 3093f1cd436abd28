"""The device's private key as OpenSSL gets it: as it was given, if that is possible.

OpenSSL accepts keys that `cryptography` refuses, such as EC keys with a leading zero byte, which
GnuTLS writes. Whether it accepts a key shows only together with the key's certificate.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import PublicKeyAlgorithmOID

from aiodps.attestation.memory_file import as_file
from aiodps.errors import CredentialError, PrivateKeyError
from aiodps.input_files.certificates import UNREADABLE
from aiodps.input_files.der import elements, sequence
from aiodps.input_files.pem import armoured
from aiodps.input_files.private_keys import KeyBlock, Password, PrivateKey

_RSA_PSS = bytes.fromhex("06092a864886f70d01010a")
"""1.2.840.113549.1.1.10 in DER."""
_RETRIED = {"unreadable", "wrong_password", "not_pem"}
"""Reasons of a refusal after which OpenSSL is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsKey:
    """A private key for OpenSSL, before it is known which certificate it belongs to."""

    given: bytes = field(default=b"", repr=False)
    """PEM as it was given; empty if `cryptography` had to decrypt it."""
    opened: PrivateKey | None = field(default=None, repr=False)
    """None if `cryptography` refused the key."""
    password: bytes | None = field(default=None, repr=False)
    """Decrypts what was given; None if it is not encrypted."""
    refusal: CredentialError | None = None
    """Why `cryptography` refused the key."""
    is_secret: ClassVar[bool] = True

    @classmethod
    def read(cls, block: KeyBlock, password: Password) -> TlsKey:
        """Read a key that was given.

        Raises:
            PrivateKeyError: If the password is missing, or it is not a key for TLS.
        """
        try:
            key = block.open(password)
        except CredentialError as error:
            if error.reason not in _RETRIED:
                raise

            return cls(given=block.pem, password=block.password(password), refusal=error)

        return cls(given=b"" if block.encrypted else block.pem, opened=key)

    def leaf(
        self, certificates: Sequence[x509.Certificate], message: Callable[[], str]
    ) -> x509.Certificate:
        """Return the certificate that the key belongs to.

        Args:
            certificates: Among these.
            message: Returns what to say if it belongs to none.

        Raises:
            PrivateKeyError: If it belongs to none of them, or OpenSSL refuses it as well.
        """
        found = next((each for each in certificates if self._belongs_to(each)), None)
        if found is not None:
            return found

        raise self.refusal or PrivateKeyError(
            message(),
            reason="mismatch",
            hint="`aiodps certs show FILE` on both files shows which belong together",
        )

    def pem(self, leaf: x509.Certificate) -> bytes:
        """Return the key in PEM, of the algorithm that its certificate names.

        `cryptography` writes an RSA-PSS key like any RSA key, which OpenSSL does not accept for a
        certificate that is for RSA-PSS alone.
        """
        if self.given or self.opened is None:
            return self.given

        der = self.opened.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        if is_rsa_pss(leaf):
            version, _, key = elements(der)[0].children
            der = sequence(version.whole, sequence(_RSA_PSS), key.whole)

        return armoured(der, "PRIVATE KEY").pem

    def _belongs_to(self, certificate: x509.Certificate) -> bool:
        if self.opened is not None:
            return _public_key(certificate) == self.opened.public_key()

        pem = certificate.public_bytes(Encoding.PEM) + self.given
        try:
            load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), pem, self.password)
        except ssl.SSLError:
            return False

        return True


def load_into(context: ssl.SSLContext, pem: bytes, password: bytes | None) -> None:
    """Load certificates and key into a context; raises `ssl.SSLError`."""
    with as_file(pem) as path:
        # Without a password function OpenSSL might prompt for one on the terminal.
        context.load_cert_chain(path, password=password or _refuse_password)


def _refuse_password() -> str:
    raise RuntimeError("OpenSSL asked for a password")


def is_rsa_pss(certificate: x509.Certificate) -> bool:
    """Whether the certificate's key is for RSA-PSS alone."""
    return certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS


def _public_key(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except UNREADABLE:
        return None
