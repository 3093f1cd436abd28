"""The contents of a file of certificates, requests and keys, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from aiodps.errors import CertificateError, CredentialError, ProvisioningError
from aiodps.input_files import formats
from aiodps.input_files.certificates import UNREADABLE, certificate_ders, load_der
from aiodps.input_files.der import is_der
from aiodps.input_files.formats import Format, recognize, unexpected
from aiodps.input_files.origin import Origin
from aiodps.input_files.pem import Block, armoured, blocks
from aiodps.input_files.pkcs12 import is_bundle, open_bundle
from aiodps.input_files.private_keys import find_key

GIVEN: Final = Origin(what="file", kind=CertificateError)
_DER_LABELS: Final = {
    formats.REQUEST: "CERTIFICATE REQUEST",
    formats.PUBLIC_KEY: "PUBLIC KEY",
    formats.CRL: "X509 CRL",
}


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
    """Something else, such as a key in another format."""

    kind: str
    """What it is, without an article; of PEM the label in lower case."""
    next_step: str | None = None
    """How to convert it; None if that is not needed."""


Thing: TypeAlias = x509.Certificate | x509.CertificateSigningRequest | Key | Other


def load(data: bytes, origin: Origin = GIVEN) -> list[Thing]:
    """Read the contents of a file.

    Args:
        data: The file.
        origin: Where it comes from.

    Raises:
        CertificateError: If it is empty, unknown, or something in it cannot be read.
    """
    if is_bundle(data):
        return _of_bundle(data, origin)

    found = _der_blocks(data, origin) if is_der(data) else blocks(data, origin)
    if found:
        return [_load(block, number, origin) for number, block in enumerate(found, start=1)]

    known = recognize(data)
    if known is None or formats.in_bytes(data) is not None:
        raise unexpected(data, origin, wanted="a certificate, a request or a key")

    return [_other(known, origin)]


def _der_blocks(data: bytes, origin: Origin) -> list[Block]:
    """Return DER as blocks of PEM; none if it is of another format."""
    known = recognize(data)
    if known is formats.CERTIFICATE:
        return [armoured(der, "CERTIFICATE") for der in certificate_ders(data, origin)]

    if known in _DER_LABELS:
        return [armoured(data, _DER_LABELS[known])]

    if known in {formats.PRIVATE_KEY, formats.ENCRYPTED_KEY}:
        return blocks(find_key(data, origin).pem, origin)

    return []


def _load(block: Block, number: int, origin: Origin) -> Thing:
    try:
        return _load_block(block, origin)
    except (*UNREADABLE, CredentialError) as exc:
        raise origin.error(
            f"has a block that cannot be read: number {number}, {block.label.lower()!r}",
            reason="bad_base64",
            hint="copy it again, as plain text",
        ) from exc


def _load_block(block: Block, origin: Origin) -> Thing:
    known = formats.of_label(block.label)
    match block.label:
        case _ if known is formats.CERTIFICATE:
            return load_der(certificate_ders(block.pem, origin)[0])
        case "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST":
            return x509.load_pem_x509_csr(block.pem)
        case "PUBLIC KEY" | "RSA PUBLIC KEY":
            return Key("public key", load_pem_public_key(block.pem), encrypted=None)
        case _ if known in {formats.PRIVATE_KEY, formats.ENCRYPTED_KEY}:
            return _private_key(block, origin)
        case _:
            advice = formats.advice(known.advice, origin)
            return Other(block.label.lower(), None if advice == formats.NOTHING_TO_DO else advice)


def _private_key(block: Block, origin: Origin) -> Key:
    key = find_key(block.pem, origin)
    if key.encrypted:
        return Key("private key", None, encrypted=True)

    der = block.der(origin)
    try:
        return Key("private key", key.open(None).public_key(), encrypted=False)
    except CredentialError as error:
        # A key of another kind, such as X25519, or one that only OpenSSL reads.
        if error.reason == "weak" or formats.of_der(der) is formats.PRIVATE_KEY:
            return Key("private key", None, encrypted=False)

        raise


def _of_bundle(data: bytes, origin: Origin) -> list[Thing]:
    try:
        bundle = open_bundle(data, None, origin)
    except ProvisioningError:
        return [_other(formats.PKCS12, origin)]

    key = bundle.private_key
    keys = [] if key is None else [Key("private key", key.public_key(), encrypted=False)]
    return [*bundle.certificates, *keys]


def _other(known: Format, origin: Origin) -> Other:
    name = known.name.removeprefix("a ").removeprefix("an ")
    return Other(name, formats.advice(known.advice, origin))
