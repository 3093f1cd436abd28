"""What is left to do, and in which order; what the engine does is in `test_session`."""

from __future__ import annotations

import dataclasses

from tests.fleet.fleets import given
from tests.fleet.test_journal import PLANNED

from aiodps.fleet.engine import works_of
from aiodps.fleet.journal import State

ORDER = [
    *(State.PLANNED, State.FAILED, State.SENT, State.ASSIGNED),
    *(State.OPERATION, State.PLANNED, State.SENT),
]
ENTRIES = [
    dataclasses.replace(entry, state=state) for entry, state in zip(PLANNED, ORDER, strict=False)
]
DEVICES = {
    entry.registration_id: device
    for entry, device in zip(ENTRIES, given(len(ENTRIES)).devices, strict=True)
}


def test_what_was_under_way_comes_first() -> None:
    """Operations first, they may be forgotten; then what may be lost; then what nobody began."""
    assert [work.entry.number for work in works_of(ENTRIES, DEVICES)] == [4, 2, 6, 0, 5]


def test_failed_ones_only_if_told() -> None:
    """They come before what nobody began; assigned ones never."""
    again = works_of(ENTRIES, DEVICES, again=True)

    assert [work.entry.number for work in again] == [4, 2, 6, 1, 0, 5]
    assert all(work.device is DEVICES[work.entry.registration_id] for work in again)
