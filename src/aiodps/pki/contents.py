"""The contents of a PEM or DER file: certificates, requests and keys, in order."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from aiodps.credential_files import UNREADABLE
from aiodps.errors import CertificateError

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Key:
    """A key, represented by its public half."""

    kind: str
    """Either "private key" or "public key"."""
    public_key: object | None
    """None if the private key is encrypted."""
    encrypted: bool | None
    """None for public keys."""


@dataclass(frozen=True, slots=True)
class Other:
    """Something else in PEM, such as the parameters of a curve."""

    kind: str
    """The PEM label in lower case."""


Thing: TypeAlias = x509.Certificate | x509.CertificateSigningRequest | Key | Other


def load(data: bytes) -> list[Thing]:
    """Read the contents of a file.

    Raises:
        CertificateError: If it is empty, or something cannot be read.
    """
    blocks = list(_BLOCK.finditer(data))
    if len(blocks) < data.count(b"-----BEGIN "):
        raise CertificateError(
            "the file is truncated: a BEGIN line has no END line",
            reason="truncated",
            hint="copy it again, whole",
        )

    if not blocks:
        return [_load_der(data)]

    return [_load_block(block, number) for number, block in enumerate(blocks, start=1)]


def _load_block(block: re.Match[bytes], number: int) -> Thing:
    label = block[1].decode().lower()
    try:
        return _load_pem(block[0], label)
    except UNREADABLE as exc:
        raise CertificateError(
            f"block {number} of the file, {label!r}, cannot be read",
            reason="bad_base64",
            hint="copy it again, as plain text",
        ) from exc


def _load_pem(block: bytes, label: str) -> Thing:
    match label:
        case "certificate":
            return x509.load_pem_x509_certificate(block)
        case "certificate request" | "new certificate request":
            return x509.load_pem_x509_csr(block)
        case "public key":
            return Key("public key", load_pem_public_key(block), encrypted=None)
        case _ if label.endswith("private key"):
            return _private_key(block, load_pem_private_key)
        case _:
            return Other(label)


def _load_der(data: bytes) -> Thing:
    loaders: tuple[Callable[[bytes], Thing], ...] = (
        x509.load_der_x509_certificate,
        x509.load_der_x509_csr,
        lambda data: _private_key(data, load_der_private_key),
        lambda data: Key("public key", load_der_public_key(data), encrypted=None),
    )
    for load_der in loaders:
        try:
            return load_der(data)
        except UNREADABLE:
            continue

    raise CertificateError(
        "the file holds neither a certificate nor a request nor a key",
        reason="not_pem" if data.strip() else "empty",
        hint="give a PEM or DER file; `openssl pkcs12 -in FILE` opens PKCS#12",
    )


def _private_key(data: bytes, load_key: Callable[[bytes, None], object]) -> Key:
    try:
        key = load_key(data, None)
    except TypeError:  # what `cryptography` raises if, and only if, a password is needed
        return Key("private key", None, encrypted=True)

    return Key("private key", key.public_key(), encrypted=False)  # type: ignore[attr-defined]  # every private key has it
