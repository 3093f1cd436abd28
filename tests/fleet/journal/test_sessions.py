"""Where a schedule goes on, and when that was: arithmetic of clocks."""

from __future__ import annotations

import dataclasses

import pytest

from aiodps.fleet.journal.sessions import SessionFacts, began, scheduled_run_seconds

FIRST = SessionFacts(started=1000.0, seconds=5.0)
"""Killed after five seconds."""
SECOND = SessionFacts(number=1, started=1020.0, began=20.0, place=5.0, shift=16.0, seconds=4.0)
"""Fifteen seconds later; what was left behind took its first second."""


@pytest.mark.parametrize(
    ("session", "reached"),
    [
        (FIRST, 5.0),
        (dataclasses.replace(FIRST, stopped=3.0), 3.0),
        (dataclasses.replace(FIRST, stopped=0.0), 0.0),
        (SECOND, 8.0),
        (dataclasses.replace(SECOND, stopped=0.5), 5.0),
    ],
    ids=["killed", "drained", "drained at once", "resumed", "drained while it caught up"],
)
def test_how_far_the_schedule_got(session: SessionFacts, reached: float) -> None:
    """Up to the kill or the order to stop; what catches up is no part of the schedule."""
    assert session.reached == reached


def test_sessions_lie_on_one_axis() -> None:
    """By the wall clock, pauses included; a clock that was put back makes no session overlap."""
    assert began([], started=1000.0) == 0.0
    assert began([FIRST], started=1020.0) == 20.0
    assert began([FIRST], started=900.0) == 5.0
    assert began([FIRST, SECOND], started=1030.0) == 30.0
    assert SECOND.finished == 24.0


def test_when_something_was_scheduled() -> None:
    """In the session whose part of the schedule it was; None if it is still to come."""
    earlier = [FIRST, SECOND]

    assert scheduled_run_seconds([], 0.0) is None
    assert scheduled_run_seconds(earlier, 4.5) == 4.5
    assert scheduled_run_seconds(earlier, 5.0) == 21.0
    assert scheduled_run_seconds(earlier, 7.5) == 23.5
    assert scheduled_run_seconds(earlier, 8.0) is None
