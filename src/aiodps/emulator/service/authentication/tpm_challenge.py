"""The service's side of TPM attestation: a challenge that only the enrolled TPM can read.

The challenge holds an HMAC key. Its TPM imports it only if both of its keys are in the same TPM:
the endorsement key, which is enrolled, and the storage root key. Then the device signs tokens
with the key (Microsoft Learn, "TPM attestation").
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from aiodps.tpm import structures
from aiodps.tpm.structures import Challenge, StorageKey, StructureError

_SEED_BYTES: Final = 32
_URI_INFO: Final = b"{}"
"""What follows the key; what the service writes there is not known, and no client reads it."""


def challenge(endorsement_key: bytes, storage_root_key: bytes, *, key: bytes) -> bytes:
    """Write a challenge.

    Args:
        endorsement_key: The device's, a `TPM2B_PUBLIC`.
        storage_root_key: The device's, a `TPM2B_PUBLIC`.
        key: The HMAC key for the device: 32 bytes.

    Raises:
        StructureError: If one of the device's keys is not what it should be.
    """
    endorsement = StorageKey.read(endorsement_key)
    storage_root = StorageKey.read(storage_root_key)
    inner_key, seed = os.urandom(structures.INNER_KEY_BYTES), os.urandom(_SEED_BYTES)
    duplicate, duplicate_seed, area = _duplicate(storage_root, key, inner_key)
    made = Challenge(
        credential=structures.protect(seed, storage_root.name, structures.tpm2b(inner_key)),
        credential_seed=_encrypt(endorsement, seed, structures.IDENTITY),
        duplicate=duplicate,
        duplicate_seed=duplicate_seed,
        area=area,
        rest=structures.tpm2b(structures.encrypt(inner_key, _URI_INFO)),
    )
    return bytes(made)


def _duplicate(
    storage_root: StorageKey, key: bytes, inner_key: bytes
) -> tuple[bytes, bytes, bytes]:
    """Wrap an HMAC key with the inner key and for the storage root key."""
    seed_value, seed = os.urandom(_SEED_BYTES), os.urandom(_SEED_BYTES)
    area = structures.hmac_key_area(key, seed_value)
    name = structures.name(area)
    sensitive = structures.tpm2b(
        struct.pack(">H", structures.KEYED_HASH)
        + structures.tpm2b(b"")
        + structures.tpm2b(seed_value)
        + structures.tpm2b(key)
    )
    digest = structures.tpm2b(hashlib.sha256(sensitive + name).digest())
    wrapped = structures.encrypt(inner_key, digest + sensitive)
    protected = structures.protect(seed, name, wrapped)
    return protected, _encrypt(storage_root, seed, structures.DUPLICATE), area


def _encrypt(key: StorageKey, seed: bytes, label: bytes) -> bytes:
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
    try:
        return key.key.encrypt(seed, oaep)
    except ValueError as exc:  # of an even modulus, for example
        raise StructureError("nothing can be encrypted to it") from exc
