"""TPM 2.0 structures in DPS's TPM attestation: public areas, and what a challenge is made of.

Sources: TCG, "Trusted Platform Module Library, Part 1: Architecture" (24 "Credential Protection",
23.3 "Duplication", 11.4.10 "Key Derivation Function") and "Part 2: Structures". Order and sizes of
the parts are those of two challenges of the live service that clients of Microsoft's have in their
tests. All integers are big-endian; a `TPM2B` is a size of two bytes and as many bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms

try:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ModuleNotFoundError:  # before cryptography 47
    from cryptography.hazmat.primitives.ciphers.modes import CFB

RSA: Final = 0x0001
KEYED_HASH: Final = 0x0008
"""Types of objects."""
SHA256: Final = 0x000B
_STORAGE_KEY: Final = struct.pack(">HHHHH", 0x0006, 128, 0x0043, 0x0010, 2048)
"""Parameters of an RSA storage key: AES-128 in CFB mode, no scheme, 2,048 bits."""
_HMAC_KEY: Final = struct.pack(">IHHH", 0x00040440, 0, 0x0005, SHA256)
"""Attributes (sign, userWithAuth, noDA), no policy, HMAC with SHA-256."""
INNER_KEY_BYTES: Final = 16
"""Of the AES-128 key that a challenge wraps the HMAC key with."""
HMAC_KEY_BYTES: Final = 32
IDENTITY: Final = b"IDENTITY\0"
DUPLICATE: Final = b"DUPLICATE\0"
"""Labels of the seeds that are encrypted to a key of the TPM."""


_ENDORSEMENT_ATTRIBUTES: Final = 0x000300B2
_ENDORSEMENT_POLICY: Final = bytes.fromhex(
    "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
)
"""PolicySecret(endorsement): TCG, "EK Credential Profile", B.3.3."""
_STORAGE_ROOT_ATTRIBUTES: Final = 0x00030472
_NO_MODULUS: Final = bytes(256)
"""What a template has in its place."""


class StructureError(ValueError):
    """Bytes are not the structure they should be; the message says why, and shows none of them."""


def tpm2b(data: bytes) -> bytes:
    """Put the size before bytes."""
    return struct.pack(">H", len(data)) + data


def split(data: bytes) -> tuple[bytes, bytes]:
    """Split the first `TPM2B` off; return its bytes without the size, and the rest.

    Raises:
        StructureError: If there are fewer bytes than the size says.
    """
    if len(data) < 2:  # noqa: PLR2004 (the size itself)
        raise StructureError("a size is cut off")

    (size,) = struct.unpack(">H", data[:2])
    if len(data) < 2 + size:
        raise StructureError(f"{size} bytes are announced, and {len(data) - 2} are there")

    return data[2 : 2 + size], data[2 + size :]


def unwrapped(data: bytes) -> bytes:
    """Return the bytes of a single `TPM2B`.

    Raises:
        StructureError: If it is cut off, or followed by something.
    """
    inside, rest = split(data)
    if rest:
        raise StructureError(f"{len(rest)} bytes too many")

    return inside


def name(area: bytes) -> bytes:
    """Return the name of an object: the hash of its public area (Part 1, 16 "Names")."""
    return struct.pack(">H", SHA256) + hashlib.sha256(area).digest()


def kdfa(key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """Derive a key of at most 256 bits: one block of KDFa, which is SP 800-108 in counter mode."""
    fixed = struct.pack(">I", 1) + label + b"\0" + context + struct.pack(">I", bits)
    return mac(key, fixed)[: bits // 8]


def mac(key: bytes, data: bytes) -> bytes:
    """Return the HMAC-SHA256."""
    return hmac.digest(key, data, hashlib.sha256)


def encrypt(key: bytes, data: bytes) -> bytes:
    """Encrypt with AES in CFB mode from a vector of zeros, as TPMs protect objects."""
    return _run(_cipher(key).encryptor(), data)


def decrypt(key: bytes, data: bytes) -> bytes:
    """Undo `encrypt`."""
    return _run(_cipher(key).decryptor(), data)


def protect(seed: bytes, object_name: bytes, secret: bytes) -> bytes:
    """Encrypt a secret for an object, with the seed of the key above it (outer wrapper)."""
    encrypted = encrypt(kdfa(seed, b"STORAGE", object_name, 128), secret)
    return tpm2b(mac(_integrity_key(seed), encrypted + object_name)) + encrypted


def unprotect(seed: bytes, object_name: bytes, protected: bytes) -> bytes:
    """Undo `protect`.

    Raises:
        StructureError: If it was made with another seed, for another object, or changed.
    """
    tag, encrypted = split(protected)
    if not hmac.compare_digest(tag, mac(_integrity_key(seed), encrypted + object_name)):
        raise StructureError("the integrity check failed")

    return decrypt(kdfa(seed, b"STORAGE", object_name, 128), encrypted)


def hmac_key_area(key: bytes, seed: bytes) -> bytes:
    """Write the public area of an HMAC key; its unique field commits to key and seed."""
    unique = hashlib.sha256(seed + key).digest()
    return struct.pack(">HH", KEYED_HASH, SHA256) + _HMAC_KEY + tpm2b(unique)


@dataclass(frozen=True, slots=True)
class StorageKey:
    """The public half of an RSA storage key: an endorsement key or a storage root key."""

    area: bytes
    """Its public area, without the size before it."""
    key: RSAPublicKey

    @classmethod
    def read(cls, public: bytes) -> Self:
        """Read a `TPM2B_PUBLIC`, as devices send it.

        Raises:
            StructureError: If it is not the public half of such a key.
        """
        area = unwrapped(public)
        if area[:4] != struct.pack(">HH", RSA, SHA256):
            raise StructureError("it is not an RSA key with SHA-256")

        _, rest = split(area[8:])  # the policy; 4 bytes of attributes stand before it
        if rest[: len(_STORAGE_KEY)] != _STORAGE_KEY or len(rest) < len(_STORAGE_KEY) + 4:
            raise StructureError("it is not a storage key: RSA-2048, AES-128-CFB, no scheme")

        (exponent,) = struct.unpack(">I", rest[10:14])
        modulus = int.from_bytes(unwrapped(rest[14:]))
        try:
            return cls(area, RSAPublicNumbers(exponent or 65537, modulus).public_key())
        except ValueError as exc:
            raise StructureError("its modulus or exponent is not that of an RSA key") from exc

    @property
    def name(self) -> bytes:
        """Its name."""
        return name(self.area)


def endorsement_key(modulus: bytes) -> bytes:
    """Write the `TPM2B_PUBLIC` of an endorsement key; its exponent is 65537."""
    return _storage_key(_ENDORSEMENT_ATTRIBUTES, _ENDORSEMENT_POLICY, modulus)


def storage_root_key(modulus: bytes) -> bytes:
    """Write the `TPM2B_PUBLIC` of a storage root key; its exponent is 65537."""
    return _storage_key(_STORAGE_ROOT_ATTRIBUTES, b"", modulus)


def _storage_key(attributes: int, policy: bytes, modulus: bytes) -> bytes:
    return tpm2b(
        struct.pack(">HHI", RSA, SHA256, attributes)
        + tpm2b(policy)
        + _STORAGE_KEY
        + struct.pack(">I", 0)  # the exponent 65537
        + tpm2b(modulus)
    )


ENDORSEMENT_KEY_TEMPLATE: Final = endorsement_key(_NO_MODULUS)
"""TCG, "EK Credential Profile", B.3.3: template L-1."""
STORAGE_ROOT_KEY_TEMPLATE: Final = storage_root_key(_NO_MODULUS)
"""TCG, "TPM v2.0 Provisioning Guidance", 7.5.1."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge's parts (`authenticationKey` on the wire), each without its size."""

    credential: bytes
    """`TPM2B_ID_OBJECT`: the inner key, for the TPM that has the storage root key of this name."""
    credential_seed: bytes
    """Encrypted to the endorsement key."""
    duplicate: bytes
    """`TPM2B_PRIVATE`: the HMAC key, wrapped with the inner key and for the storage root key."""
    duplicate_seed: bytes
    """Encrypted to the storage root key."""
    area: bytes
    """Public area of the HMAC key."""
    rest: bytes = b""
    """`TPM2B` of what is encrypted with the inner key; no client of Microsoft's reads it."""

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read a challenge.

        Raises:
            StructureError: If a part is missing or cut off.
        """
        credential, rest = split(data)
        credential_seed, rest = split(rest)
        duplicate, rest = split(rest)
        duplicate_seed, rest = split(rest)
        area, rest = split(rest)
        return cls(credential, credential_seed, duplicate, duplicate_seed, area, rest)

    def __bytes__(self) -> bytes:
        """Write it as it goes over the wire."""
        parts = (self.credential, self.credential_seed, self.duplicate, self.duplicate_seed)
        return b"".join(map(tpm2b, (*parts, self.area))) + self.rest


def _integrity_key(seed: bytes) -> bytes:
    return kdfa(seed, b"INTEGRITY", b"", 256)


def _cipher(key: bytes) -> Cipher[CFB]:
    return Cipher(algorithms.AES(key), CFB(bytes(16)))


def _run(context: CipherContext, data: bytes) -> bytes:
    return context.update(data) + context.finalize()
