"""The TPM in software: it takes what is meant for it, and nothing else."""

from __future__ import annotations

import hmac
from typing import Final

import pytest
from tests.software_tpms import software_tpm

from aiodps.emulator.service.authentication.tpm_challenge import challenge
from aiodps.tpm.software import SoftwareTpm
from aiodps.tpm.structures import Challenge, StructureError, tpm2b

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

KEY = bytes(range(32))


@pytest.fixture
def tpm() -> SoftwareTpm:
    """Return a TPM without a key of a challenge."""
    return software_tpm()


async def challenged(tpm: SoftwareTpm, key: bytes = KEY) -> bytes:
    """Make a challenge for a TPM."""
    return challenge(tpm.endorsement_key, tpm.storage_root_key, key=key)


RECORDED: Final = {
    0: "00340020",
    54: "0100",
    312: "008e0020",
    456: "0100",
    714: "00300008000b000404400000" + "0005000b0020",
}
"""Bytes that two challenges of the live service, of 920 and 956 bytes, have in common, by offset:
sizes, and the head of the HMAC key's public area. All others are ciphertext, tags and hashes."""
READ: Final = 764
"""Bytes before what no client reads."""


async def test_the_layout_is_that_of_the_service(tpm: SoftwareTpm) -> None:
    """As in two recorded challenges, and in the keys that devices were seen to send."""
    blob = await challenged(tpm)
    for offset, fixed in RECORDED.items():
        assert blob[offset : offset + len(fixed) // 2].hex() == fixed

    for unread, length in ((154, 920), (190, 956)):
        recorded = blob[:READ] + tpm2b(bytes(unread))

        assert len(recorded) == length
        assert Challenge.read(recorded).rest == tpm2b(bytes(unread))
        assert bytes(Challenge.read(recorded)) == recorded

    assert tpm.endorsement_key[:12].hex() == "013a0001000b000300b20020"
    assert tpm.storage_root_key[:12].hex() == "011a0001000b000304720000"
    assert len(tpm.endorsement_key) == 316
    assert len(tpm.storage_root_key) == 284


async def test_it_signs_with_the_key_of_the_latest_challenge(tpm: SoftwareTpm) -> None:
    """As the service would with the same key."""
    for key in (KEY, KEY[::-1]):
        await tpm.activate(await challenged(tpm, key))

        assert await tpm.sign(b"text") == hmac.digest(key, b"text", "sha256")


@pytest.mark.slow
async def test_every_flipped_bit_is_refused(tpm: SoftwareTpm) -> None:
    """In each byte of what a TPM reads; one bit for each, the next one for each byte."""
    blob = await challenged(tpm)
    for index in range(READ):
        flipped = bytearray(blob)
        flipped[index] ^= 1 << index % 8
        with pytest.raises(StructureError):
            await tpm.activate(bytes(flipped))


async def test_every_cut_is_refused(tpm: SoftwareTpm) -> None:
    """Wherever the challenge ends."""
    blob = await challenged(tpm)
    for end in range(0, READ, 7):
        with pytest.raises(StructureError):
            await tpm.activate(blob[:end])


async def test_a_challenge_of_another_tpm_is_refused(tpm: SoftwareTpm) -> None:
    """Both keys must be in the same TPM."""
    other = software_tpm("other")
    for keys in (
        (other.endorsement_key, tpm.storage_root_key),
        (tpm.endorsement_key, other.storage_root_key),
    ):
        with pytest.raises(StructureError):
            await tpm.activate(challenge(*keys, key=KEY))


async def test_without_a_key_nothing_is_signed(tpm: SoftwareTpm) -> None:
    """And nothing of the keys is shown."""
    with pytest.raises(StructureError, match="no key"):
        await tpm.sign(b"")

    assert repr(tpm) == "<SoftwareTpm>"
