"""Structures of TPM 2.0: read back what is written, and refuse everything else in words of ours."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.tpm.structures import (
    Challenge,
    StorageKey,
    StructureError,
    endorsement_key,
    kdfa,
    protect,
    split,
    storage_root_key,
    tpm2b,
    unprotect,
    unwrapped,
)

MODULUS = bytes(range(1, 256, 2)) * 2
PUBLIC = storage_root_key(MODULUS)


@given(data=st.binary(max_size=300), rest=st.binary(max_size=9))
def test_sizes(data: bytes, rest: bytes) -> None:
    """What is behind is given back."""
    assert split(tpm2b(data) + rest) == (data, rest)
    if rest:
        with pytest.raises(StructureError, match="too many"):
            unwrapped(tpm2b(data) + rest)


@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but our own error, and a challenge that can be read is written as it was."""
    for read in (StorageKey.read, Challenge.read, unwrapped):
        with contextlib.suppress(StructureError):
            read(data)

    with contextlib.suppress(StructureError):
        assert bytes(Challenge.read(data)) == data


def test_a_storage_key_is_read_back() -> None:
    """With a policy or without."""
    for public in (endorsement_key(MODULUS), storage_root_key(MODULUS)):
        read = StorageKey.read(public)

        assert read.key.public_numbers().n.to_bytes(256) == MODULUS
        assert read.key.public_numbers().e == 65537
        assert read.area == public[2:]


@pytest.mark.parametrize("index", [0, 1, 2, 5, 12, 13, 20])
def test_another_kind_of_key_is_refused(index: int) -> None:
    """Type, hash, cipher, mode and size: a challenge would be encrypted to something else."""
    changed = bytearray(PUBLIC)
    changed[index] ^= 0x40
    with pytest.raises(StructureError):
        StorageKey.read(bytes(changed))


@given(seed=st.binary(min_size=32, max_size=32), name=st.binary(max_size=34), data=st.binary())
def test_protection_is_undone(seed: bytes, name: bytes, data: bytes) -> None:
    """With the same seed and name alone."""
    assert unprotect(seed, name, protect(seed, name, data)) == data
    with pytest.raises(StructureError, match="integrity"):
        unprotect(seed, name + b"x", protect(seed, name, data))


def test_key_derivation() -> None:
    """A block of HMAC over counter, label, context and bits (TCG, Part 1, 11.4.10.2)."""
    assert len(kdfa(b"k", b"STORAGE", b"", 128)) == 16
    assert kdfa(b"k", b"STORAGE", b"", 256) != kdfa(b"k", b"INTEGRITY", b"", 256)
    assert kdfa(b"k", b"STORAGE", b"", 128) != kdfa(b"k", b"STORAGE", b"", 256)[:16]
