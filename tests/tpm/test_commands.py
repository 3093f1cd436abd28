"""Commands of a TPM, as swtpm answers them: what it keeps, what it refuses, what is left behind."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import pytest

from aiodps.emulator.service.authentication.tpm_challenge import challenge
from aiodps.errors import TpmError
from aiodps.tpm.failures import BROKEN, failure_of
from aiodps.tpm.structures import (
    ENDORSEMENT_KEY_TEMPLATE,
    STORAGE_ROOT_KEY_TEMPLATE,
    StructureError,
)

if TYPE_CHECKING:  # they need tpm2-pytss
    from tests.tpm.simulator import Swtpm

    from aiodps.tpm.commands import Tpm2

pytestmark = pytest.mark.swtpm
KEY = bytes(range(32))
SIZES = (0, 1, 54, 55, 312, 313, 456, 457, 714, 715)
"""Where the sizes of the parts are that a TPM reads."""


def handles(tpm: Tpm2, kind: int) -> list[int]:
    """List the handles of a kind, from its first one on."""
    from tpm2_pytss import ESAPI, TPM2_CAP, TCTILdr  # noqa: PLC0415 (an extra)

    with TCTILdr.parse(tpm.tcti) as tcti, ESAPI(tcti) as esapi:
        _, found = esapi.get_capability(TPM2_CAP.HANDLES, kind, 99)
        return [int(each) for each in found.data.handles]  # freed with `found`


def left_behind(tpm: Tpm2) -> list[int]:
    """List transient keys, and loaded and saved sessions."""
    return [each for kind in (0x80000000, 0x02000000, 0x03000000) for each in handles(tpm, kind)]


def test_keys_are_made_once(swtpm: Swtpm) -> None:
    """At the handles of Microsoft's clients; all but the modulus is that of our template."""
    tpm = swtpm.tpm2()
    made = tpm.public_keys()

    assert tpm.public_keys() == made
    assert handles(tpm, 0x81000000) == [0x81000001, 0x81010001]
    for key, template in zip(
        made, (ENDORSEMENT_KEY_TEMPLATE, STORAGE_ROOT_KEY_TEMPLATE), strict=True
    ):
        assert len(key) == len(template)
        assert key[:-256] == template[:-256]


def test_it_signs_with_the_key_of_the_latest_challenge(swtpm: Swtpm) -> None:
    """Also after a restart, and nothing but the three keys is left behind."""
    tpm = swtpm.tpm2()
    keys = tpm.public_keys()
    for key in (KEY, KEY[::-1]):
        tpm.activate(challenge(*keys, key=key))

        assert tpm.sign(b"text") == hmac.digest(key, b"text", "sha256")

    swtpm.restart()

    assert tpm.sign(b"text") == hmac.digest(KEY[::-1], b"text", "sha256")
    assert left_behind(tpm) == []
    assert handles(tpm, 0x81000000) == [0x81000001, 0x81000100, 0x81010001]


def test_without_a_key_nothing_is_signed(swtpm: Swtpm) -> None:
    """There is none before the first challenge."""
    with pytest.raises(TpmError, match="no key of a challenge"):
        swtpm.tpm2().sign(b"")


def test_every_flipped_bit_is_refused(swtpm: Swtpm) -> None:
    """Each bit of the sizes, and one of each other byte; the key of before stays."""
    from tpm2_pytss import TSS2_Exception  # noqa: PLC0415 (an extra)

    tpm = swtpm.tpm2()
    keys = tpm.public_keys()
    tpm.activate(challenge(*keys, key=KEY))
    blob = challenge(*keys, key=KEY[::-1])
    flips = [(index, 1 << bit) for index in SIZES for bit in range(8)]
    flips += [(index, 1 << index % 8) for index in range(764)]
    for index, bit in flips:
        flipped = bytearray(blob)
        flipped[index] ^= bit
        try:
            tpm.activate(bytes(flipped))
        except StructureError:
            continue
        except TSS2_Exception as refusal:
            if failure_of(int(refusal.rc)) is BROKEN:
                swtpm.restart()  # swtpm 0.7.1: a flip in what is encrypted with RSA

            continue

        pytest.fail(f"a flip in byte {index} was accepted")

    assert left_behind(tpm) == []
    assert tpm.sign(b"text") == hmac.digest(KEY, b"text", "sha256")
