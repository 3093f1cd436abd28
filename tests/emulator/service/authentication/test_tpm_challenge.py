"""A challenge is made for keys of a TPM, and for nothing else; `tests/tpm` has a TPM read it."""

from __future__ import annotations

import pytest
from tests.software_tpms import software_tpm

from aiodps.emulator.service.authentication.tpm_challenge import challenge
from aiodps.tpm.structures import STORAGE_ROOT_KEY_TEMPLATE as TEMPLATE
from aiodps.tpm.structures import StructureError


def test_no_two_challenges_are_alike() -> None:
    """Seeds and inner key are new each time, the size is not."""
    key = software_tpm().storage_root_key
    one, other = (challenge(key, key, key=bytes(32)) for _ in "ab")

    assert one != other
    assert len(one) == len(other)


@pytest.mark.parametrize(
    "bad", [b"", b"\0\0", TEMPLATE, TEMPLATE[:-1], TEMPLATE + b"x", b"\0\x04text"]
)
def test_what_is_not_a_key(bad: bytes) -> None:
    """As the endorsement key, and as the storage root key."""
    key = software_tpm().storage_root_key
    for keys in ((bad, key), (key, bad)):
        with pytest.raises(StructureError):
            challenge(*keys, key=bytes(32))
