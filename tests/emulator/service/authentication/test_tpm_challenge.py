"""A challenge is made for keys of a TPM, and for nothing else; `tests/tpm` has a TPM read it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from aiodps.emulator.service.authentication.tpm_challenge import challenge
from aiodps.tpm.structures import StructureError, storage_key

KEY = storage_key(
    rsa.generate_private_key(65537, 2048).public_key(), attributes=0x00030472, policy=b""
)


def test_no_two_challenges_are_alike() -> None:
    """Seeds and inner key are new each time, the size is not."""
    one, other = (challenge(KEY, KEY, key=bytes(32)) for _ in "ab")

    assert one != other
    assert len(one) == len(other)


@pytest.mark.parametrize("bad", [b"", b"\0\0", KEY[:-1], KEY + b"x", b"\0\x04text"])
def test_what_is_not_a_key(bad: bytes) -> None:
    """As the endorsement key, and as the storage root key."""
    for keys in ((bad, KEY), (KEY, bad)):
        with pytest.raises(StructureError):
            challenge(*keys, key=bytes(32))
