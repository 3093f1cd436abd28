"""The TPM in software: it takes what is meant for it, and nothing else."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

import pytest

from aiodps.emulator.service.authentication.tpm_challenge import challenge
from aiodps.tpm.software import SoftwareTpm
from aiodps.tpm.structures import Challenge, StructureError, split

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def tpm() -> SoftwareTpm:
    """Create a TPM; its keys take a while."""
    return SoftwareTpm()


async def challenged(tpm: SoftwareTpm, key: bytes = KEY) -> bytes:
    """Make a challenge for a TPM."""
    return challenge(tpm.endorsement_key, tpm.storage_root_key, key=key)


def sizes(blob: bytes) -> Iterator[int]:
    """Return the sizes of the parts of a challenge."""
    while blob:
        part, blob = split(blob)
        yield len(part)


async def test_the_layout_is_that_of_the_service(tpm: SoftwareTpm) -> None:
    """Sizes and heads as in two recorded challenges, and of keys that devices were seen to send."""
    blob = await challenged(tpm)

    assert list(sizes(blob))[:5] == [52, 256, 142, 256, 48]
    assert Challenge.read(blob).area[:16].hex() == "0008000b00040440000000" + "05000b0020"
    assert bytes(Challenge.read(blob)) == blob
    assert tpm.endorsement_key[:12].hex() == "013a0001000b000300b20020"
    assert tpm.storage_root_key[:12].hex() == "011a0001000b000304720000"
    assert len(tpm.endorsement_key) == 316
    assert len(tpm.storage_root_key) == 284


async def test_it_signs_with_the_key_of_the_latest_challenge(tpm: SoftwareTpm) -> None:
    """As the service would with the same key."""
    for key in (KEY, KEY[::-1]):
        await tpm.activate(await challenged(tpm, key))

        assert await tpm.sign(b"text") == hmac.digest(key, b"text", "sha256")


async def test_every_flipped_bit_is_refused(tpm: SoftwareTpm) -> None:
    """In each byte of what a TPM reads; one bit for each, the next one for each byte."""
    blob = await challenged(tpm)
    read = len(blob) - len(Challenge.read(blob).rest)
    for index in range(read):
        flipped = bytearray(blob)
        flipped[index] ^= 1 << index % 8
        with pytest.raises(StructureError):
            await tpm.activate(bytes(flipped))


async def test_every_cut_is_refused(tpm: SoftwareTpm) -> None:
    """Wherever the challenge ends."""
    blob = await challenged(tpm)
    read = len(blob) - len(Challenge.read(blob).rest)
    for end in range(0, read, 7):
        with pytest.raises(StructureError):
            await tpm.activate(blob[:end])


async def test_a_challenge_of_another_tpm_is_refused(tpm: SoftwareTpm) -> None:
    """Both keys must be in the same TPM."""
    other = SoftwareTpm()
    for keys in (
        (other.endorsement_key, tpm.storage_root_key),
        (tpm.endorsement_key, other.storage_root_key),
    ):
        with pytest.raises(StructureError):
            await tpm.activate(challenge(*keys, key=KEY))


async def test_without_a_key_nothing_is_signed() -> None:
    """And nothing of the keys is shown."""
    tpm = SoftwareTpm()
    with pytest.raises(StructureError, match="no key"):
        await tpm.sign(b"")

    assert repr(tpm) == "<SoftwareTpm>"
