"""Loading of certificates and private keys from PEM and DER, with a reason for each error.

OpenSSL reports eleven different mistakes with the same message ("PEM lib"); these functions
distinguish them.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
)

from aiodps.credential_files import UNREADABLE
from aiodps.errors import CertificateError, CredentialError, PrivateKeyError

Password: TypeAlias = str | bytes | Callable[[], str | bytes] | None
PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s*(.*?)\s*-----END \1-----", re.DOTALL)
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"-\0", b"\0-")


def load_certificates(data: bytes, *, source: str) -> list[x509.Certificate]:
    """Load all certificates from PEM or DER, in the order of the file.

    Raises:
        CertificateError: If there is none, or one is not valid; `reason` says why.
    """
    if data.startswith(b"\x30"):
        return [_der_certificate(data, source)]

    blocks = _blocks(data, CertificateError, source)
    bodies = [body for label, body in blocks if label in {b"CERTIFICATE", b"X509 CERTIFICATE"}]
    if not bodies:
        raise _wrong_content(blocks, CertificateError, source)

    return [_der_certificate(_decode(body, CertificateError, source), source) for body in bodies]


def _der_certificate(der: bytes, source: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except UNREADABLE as exc:
        raise CertificateError(
            f"{source} contains something that is not a certificate", reason="not_pem"
        ) from exc


def load_private_key(data: bytes, *, password: Password, source: str) -> PrivateKey:
    """Load a private key from PEM or DER, encrypted or not; never prompts for a password.

    Raises:
        PrivateKeyError: If there is none, it is not valid, or the password is missing or wrong;
            `reason` says why.
    """
    if data.startswith(b"\x30"):
        return _load(data, load_der_private_key, password, source)

    blocks = _blocks(data, PrivateKeyError, source)
    keys = [label for label, _ in blocks if label.endswith(b"PRIVATE KEY")]
    if not keys:
        raise _wrong_content(blocks, PrivateKeyError, source)

    start = data.index(b"-----BEGIN " + keys[0])
    return _load(data[start:], load_pem_private_key, password, source)


def _load(
    data: bytes,
    loader: Callable[[bytes, bytes | None], object],
    password: Password,
    source: str,
) -> PrivateKey:
    encrypted = _is_encrypted(data)
    secret = _secret(password, source) if encrypted else None
    try:
        key = loader(data, secret)
    except (TypeError, ValueError, binascii.Error) as exc:
        raise _unreadable_key(exc, source, encrypted=secret is not None) from exc
    except Exception as exc:
        raise PrivateKeyError(
            f"{source} contains a key of an unknown type", reason="not_pem"
        ) from exc

    if not isinstance(key, PrivateKey):
        raise PrivateKeyError(
            f"{source} contains a {type(key).__name__.strip('_')}, which is not supported for TLS",
            reason="weak",
            hint="use EC P-256, RSA 2048 or Ed25519",
        )

    return key


def _is_encrypted(data: bytes) -> bool:
    if data.startswith(b"\x30"):
        # The OID of PBES1 or PBES2 comes first: 1.2.840.113549.1.5
        return b"\x2a\x86\x48\x86\xf7\x0d\x01\x05" in data[:40]

    head = data.partition(b"-----END")[0]
    return b"ENCRYPTED" in head


def _secret(password: Password, source: str) -> bytes:
    if password is None:
        raise _password_missing(source)

    return resolve_password(password, source)


def _password_missing(source: str) -> PrivateKeyError:
    return PrivateKeyError(
        f"{source} contains an encrypted key, and no password was given",
        reason="password_missing",
        hint="give password= (--key-password-file)",
    )


def resolve_password(password: str | bytes | Callable[[], str | bytes], source: str) -> bytes:
    """Return a caller's password as bytes.

    Raises:
        PrivateKeyError: If the caller's function raises an error.
    """
    if callable(password):
        try:
            password = password()
        except Exception as exc:
            raise PrivateKeyError(
                f"the password function for {source} raised {type(exc).__name__}",
                reason="password_callback",
                hint="see `__cause__`",
            ) from exc

    return password.encode() if isinstance(password, str) else bytes(password)


def _unreadable_key(exc: Exception, source: str, *, encrypted: bool) -> PrivateKeyError:
    if encrypted:
        return PrivateKeyError(
            f"the password does not decrypt the key in {source}",
            reason="wrong_password",
            hint="check the password, also for a trailing newline",
        )

    if isinstance(exc, TypeError):
        return _password_missing(source)

    return PrivateKeyError(f"{source} contains no valid private key", reason="unreadable")


def _blocks(data: bytes, kind: type[CredentialError], source: str) -> list[tuple[bytes, bytes]]:
    """Return label and content of each PEM block; raise an error if there is none."""
    blocks = [(match[1], match[2]) for match in _BLOCK.finditer(data)]
    if len(blocks) == len(_BEGIN.findall(data)) and blocks:
        return blocks

    if data[:2] in _UTF16:
        raise kind(
            f"{source} is encoded in UTF-16",
            reason="utf16",
            hint="save it as ASCII or UTF-8",
        )

    if _BEGIN.search(data):
        raise kind(
            f"{source} is truncated before its END line", reason="truncated", hint="copy it again"
        )

    if not data.strip():
        raise kind(f"{source} is empty", reason="empty")

    raise kind(
        f"{source} is neither PEM nor DER",
        reason="not_pem",
        hint="PEM begins with -----BEGIN",
    )


def _wrong_content(
    blocks: list[tuple[bytes, bytes]], kind: type[CredentialError], source: str
) -> CredentialError:
    labels = {label for label, _ in blocks}
    held = ", ".join(sorted(label.decode() for label in labels)).lower()
    if any(label.endswith(b"PRIVATE KEY") or label == b"CERTIFICATE" for label in labels):
        return kind(
            f"{source} contains a {held}: certificate and key are swapped",
            reason="swapped",
            hint="swap the two files",
        )

    if any(label.endswith(b"PUBLIC KEY") for label in labels):
        return kind(
            f"{source} contains a public key", reason="public_key", hint="give the private key"
        )

    return kind(f"{source} contains a {held}", reason="not_pem")


def _decode(body: bytes, kind: type[CredentialError], source: str) -> bytes:
    try:
        return binascii.a2b_base64(b"".join(body.split()), strict_mode=True)
    except binascii.Error as exc:
        raise kind(
            f"{source} has characters that are not base64",
            reason="bad_base64",
            hint="copy it again as plain text",
        ) from exc
