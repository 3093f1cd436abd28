"""A TPM in software, for tests and demonstrations: it protects nothing.

It does what DPS asks of a TPM, and refuses every challenge that a real one would refuse.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from aiodps.tpm import structures
from aiodps.tpm.structures import Challenge, StructureError


class SoftwareTpm:
    """A TPM in memory, with new keys; about 0.2 s to create."""

    def __init__(self) -> None:
        self._endorsement = rsa.generate_private_key(65537, 2048)
        self._storage_root = rsa.generate_private_key(65537, 2048)
        self._key: bytes | None = None

    def __repr__(self) -> str:
        """Return nothing of its keys."""
        return "<SoftwareTpm>"

    @property
    def endorsement_key(self) -> bytes:
        """The public endorsement key, a `TPM2B_PUBLIC`."""
        return structures.endorsement_key(_modulus(self._endorsement))

    @property
    def storage_root_key(self) -> bytes:
        """The public storage root key, a `TPM2B_PUBLIC`."""
        return structures.storage_root_key(_modulus(self._storage_root))

    async def activate(self, challenge: bytes) -> None:
        """Import the HMAC key of a challenge, in place of an earlier one.

        Raises:
            StructureError: If the challenge is not for this TPM, or was changed on its way.
        """
        parts = Challenge.read(challenge)
        storage_root = structures.unwrapped(self.storage_root_key)
        inner_key = self._activate_credential(parts, storage_root)
        self._key = self._import(parts, inner_key)

    async def sign(self, data: bytes) -> bytes:
        """Return the HMAC-SHA256 of bytes with the key that was imported last.

        Raises:
            StructureError: If none was imported.
        """
        if self._key is None:
            raise StructureError("no key was imported")

        return structures.mac(self._key, data)

    def _activate_credential(self, parts: Challenge, storage_root: bytes) -> bytes:
        seed = _decrypt(self._endorsement, parts.credential_seed, structures.IDENTITY)
        name = structures.name(storage_root)
        inner_key = structures.unwrapped(structures.unprotect(seed, name, parts.credential))
        if len(inner_key) != structures.INNER_KEY_BYTES:
            raise StructureError("the inner key is not an AES-128 key")

        return inner_key

    def _import(self, parts: Challenge, inner_key: bytes) -> bytes:
        seed = _decrypt(self._storage_root, parts.duplicate_seed, structures.DUPLICATE)
        name = structures.name(parts.area)
        wrapped = structures.unprotect(seed, name, parts.duplicate)
        digest, sensitive = structures.split(structures.decrypt(inner_key, wrapped))
        if not hmac.compare_digest(digest, hashlib.sha256(sensitive + name).digest()):
            raise StructureError("the inner integrity check failed")

        key, seed_value = _read_sensitive(structures.unwrapped(sensitive))
        if parts.area != structures.hmac_key_area(key, seed_value):
            raise StructureError("the key does not belong to its public area")

        return key


def _read_sensitive(area: bytes) -> tuple[bytes, bytes]:
    """Read a `TPMT_SENSITIVE`: type, authorization value, seed value, key."""
    if area[:2] != struct.pack(">H", structures.KEYED_HASH):
        raise StructureError("it is not an HMAC key")

    _, rest = structures.split(area[2:])
    seed_value, rest = structures.split(rest)
    return structures.unwrapped(rest), seed_value


def _modulus(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_numbers().n.to_bytes(256)


def _decrypt(key: rsa.RSAPrivateKey, encrypted: bytes, label: bytes) -> bytes:
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
    try:
        return key.decrypt(encrypted, oaep)
    except ValueError as exc:
        raise StructureError("a seed is encrypted to another key") from exc
