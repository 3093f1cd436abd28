"""What is left to do, and in which order; what the engine does is in `test_session`."""

from __future__ import annotations

import dataclasses

import pytest
from tests.fleet.fleets import given
from tests.fleet.journal.test_journal import PLANNED
from tests.fleet.samples import sample

from aiodps.fleet.journal.journal import State
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.run.engine import remaining_jobs

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
    assert [work.entry.number for work in remaining_jobs(ENTRIES, DEVICES)] == [4, 2, 6, 0, 5]


@pytest.mark.parametrize(
    ("error", "taken_up"),
    [
        ("ProvisioningTimeoutError", True),
        ("ConnectionLostError", True),
        ("RegistrationFailedError", False),
        ("UnauthorizedError", False),
        ("KeyError", False),
    ],
)
def test_a_decided_operation_is_not_asked_again(error: str, taken_up: bool) -> None:
    """Tried once more, a device that the service refused registers; one that was late is polled."""
    failed = dataclasses.replace(
        PLANNED[0],
        state=State.FAILED,
        operation_id="4.abc",
        sample=sample(outcome=Outcome.FAILED, error_class=error),
    )
    (work,) = remaining_jobs([failed], {"dev-0": given(1).devices[0]}, retry_failed=True)

    assert work.entry.operation_id == ("4.abc" if taken_up else None)


def test_failed_ones_only_if_told() -> None:
    """They come before what nobody began; assigned ones never."""
    again = remaining_jobs(ENTRIES, DEVICES, retry_failed=True)

    assert [work.entry.number for work in again] == [4, 2, 6, 1, 0, 5]
    assert all(work.device is DEVICES[work.entry.registration_id] for work in again)
