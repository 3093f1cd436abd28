"""Private keys from PEM and DER, encrypted or not; there is never a prompt for a password."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from aiodps.errors import ProvisioningError
from aiodps.input_files.der import elements, is_der
from aiodps.input_files.formats import (
    ENCRYPTED_KEY,
    PRIVATE_KEY,
    advice,
    of_der,
    of_label,
    unexpected,
)
from aiodps.input_files.origin import Origin
from aiodps.input_files.pem import Block, armoured, blocks

Password: TypeAlias = str | bytes | Callable[[], str | bytes] | None
PrivateKey: TypeAlias = (
    ec.EllipticCurvePrivateKey
    | rsa.RSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)

_KEYS = (PRIVATE_KEY, ENCRYPTED_KEY)
_CONVERT = "OpenSSL may read it; convert it: openssl pkey -in {file} -out {new}"


@dataclass(frozen=True, slots=True)
class KeyBlock:
    """A private key as it was given, not opened yet."""

    pem: bytes = field(repr=False)
    encrypted: bool
    origin: Origin

    def password(self, password: Password) -> bytes | None:
        """Return the password that opens the key; None if it is not encrypted.

        Raises:
            ProvisioningError: Of the origin's kind, if it is missing.
        """
        if not self.encrypted:
            return None

        if password is None:
            raise self.origin.error(
                "contains an encrypted key, and no password was given",
                reason="password_missing",
                hint="give password= (--key-password-file, for a CA --ca-password-file)",
            )

        return resolve_password(password, self.origin)

    def open(self, password: Password) -> PrivateKey:
        """Open the key.

        Raises:
            ProvisioningError: Of the origin's kind, if it is not valid, not a key for TLS, or its
                password is missing or wrong.
        """
        try:  # without a local for the password, which a traceback could show
            key = load_pem_private_key(
                self.pem, self.password(password), unsafe_skip_rsa_key_validation=True
            )
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            raise self._unreadable(exc) from exc

        if isinstance(key, rsa.RSAPrivateKey) and not _consistent(key):
            raise self._invalid()

        if isinstance(key, PrivateKey):
            return key

        raise self.origin.error(
            f"contains a {type(key).__name__.strip('_')}, which is not supported for TLS",
            reason="weak",
            hint="use EC P-256, RSA 2048 or Ed25519",
        )

    def _unreadable(self, exc: Exception) -> ProvisioningError:
        if isinstance(exc, UnsupportedAlgorithm):
            return self.origin.error(
                "contains a key of an unknown type",
                reason="not_pem",
                hint=advice(_CONVERT, self.origin),
            )

        if self.encrypted:
            return self.origin.error(
                "contains a key that the password does not decrypt",
                reason="wrong_password",
                hint="check the password; in a file, only the first line counts",
            )

        return self._invalid()

    def _invalid(self) -> ProvisioningError:
        return self.origin.error(
            "contains no valid private key",
            reason="unreadable",
            hint=advice(_CONVERT, self.origin),
        )


def _consistent(key: rsa.RSAPrivateKey) -> bool:
    """Return whether the numbers of an RSA key belong together.

    What cryptography checks besides, that the primes are prime, takes 50 ms for each device, and
    protects from keys of others: this one is the device's own. A TLS library does not check it
    either.
    """
    own = key.private_numbers()
    p, q, n, e = own.p, own.q, own.public_numbers.n, own.public_numbers.e
    return (
        min(p, q) > 1
        and p * q == n
        and own.dmp1 == own.d % (p - 1)
        and own.dmq1 == own.d % (q - 1)
        and own.iqmp * q % p == 1
        and e * own.dmp1 % (p - 1) == 1
        and e * own.dmq1 % (q - 1) == 1
    )


def find_key(data: bytes, origin: Origin) -> KeyBlock:
    """Return the first private key in PEM or DER.

    Raises:
        ProvisioningError: Of the origin's kind, if there is none.
    """
    if is_der(data):
        found = _of_der(data)
    else:
        all_blocks = blocks(data, origin)
        found = [each for each in all_blocks if of_label(each.label) in _KEYS]
        if not found:  # a key in another format says more than a certificate before it
            others = (each.pem for each in all_blocks if each.label.endswith(" KEY"))
            data = next(others, data)

    if not found:
        raise unexpected(data, origin, wanted="a private key")

    key = found[0]
    encrypted = of_label(key.label) is ENCRYPTED_KEY or b"4,ENCRYPTED" in key.body
    return KeyBlock(key.pem, encrypted, origin)


def _of_der(data: bytes) -> list[Block]:
    whole = elements(data)
    if not whole or of_der(data) not in _KEYS:
        return []

    match [child.tag for child in whole[0].children]:
        case [0x30, *_]:
            label = "ENCRYPTED PRIVATE KEY"
        case [0x02, 0x30, *_]:
            label = "PRIVATE KEY"
        case [0x02, 0x04, *_]:
            label = "EC PRIVATE KEY"
        case _:
            label = "RSA PRIVATE KEY"

    return [armoured(whole[0].whole, label)]


def hidden(password: Password) -> Password:
    """Return a password as a function, which a traceback with locals does not show."""
    return password if password is None or callable(password) else lambda: password


def resolve_password(password: str | bytes | Callable[[], str | bytes], origin: Origin) -> bytes:
    """Return a caller's password as bytes.

    Raises:
        ProvisioningError: Of the origin's kind, if the caller's function raises an error.
    """
    if callable(password):
        try:
            password = password()
        except Exception as exc:
            raise origin.error(
                f"needs a password, and its function raised {type(exc).__name__}",
                reason="password_callback",
                hint="see `__cause__`",
            ) from exc

    return password.encode() if isinstance(password, str) else bytes(password)
