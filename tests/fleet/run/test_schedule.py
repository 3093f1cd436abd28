"""A schedule that goes on at its place, and those that were left behind."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from tests.fleet.journal.test_journal import PLANNED
from tests.fleet.journal.test_sessions import FIRST, SECOND

from aiodps.fleet.plan.arrivals import Open, schedule
from aiodps.fleet.run.schedule import session_starts

COUNT = 400
TIMES = schedule(Open(rate=40, spacing="poisson"), COUNT, seed=7) or []
ENTRIES = [
    dataclasses.replace(PLANNED[0], number=number, registration_id=f"dev-{number}")
    for number in range(COUNT)
]


def test_a_first_session_is_the_schedule() -> None:
    """Nothing was left behind."""
    starts = session_starts(ENTRIES, TIMES, [], started=1000.0, shard=0)

    assert starts.due == tuple(TIMES)
    assert set(starts.first_intended) == {None}
    assert (starts.session.began, starts.session.place, starts.session.shift) == (0, 0, 0)


def test_a_resumed_schedule_is_the_first_one_shifted() -> None:
    """Killed at 5 s, resumed 15 s later: the same starts, after those that were due before."""
    ended = set(range(150))
    left = [entry for entry in ENTRIES if entry.number not in ended]
    behind = [entry for entry in left if TIMES[entry.number] < FIRST.reached]
    starts = session_starts(left, TIMES, [FIRST], started=1020.0)
    assert starts.due is not None
    gap = TIMES[-1] / (COUNT - 1)

    assert behind
    assert starts.first_intended[: len(behind)] == tuple(TIMES[one.number] for one in behind)
    assert set(starts.first_intended[len(behind) :]) == {None}
    # On the axis of the run, what is on schedule is shifted by one number.
    shift = starts.session.shift
    assert shift == pytest.approx(15.0 + len(behind) * gap)
    for entry, due in list(zip(left, starts.due, strict=True))[len(behind) :]:
        assert starts.session.began + due == pytest.approx(TIMES[entry.number] + shift)


def test_those_left_behind_exceed_no_rate() -> None:
    """They start one gap after the other, and then the schedule goes on: never two at once."""
    times = schedule(Open(rate=10), 100, seed=0)
    left = [dataclasses.replace(entry, intended=1.0, started=1.0) for entry in ENTRIES[:7]]
    left += ENTRIES[50:100]
    starts = session_starts(left, times, [FIRST], started=1020.0)
    assert starts.due is not None

    gaps = [after - before for before, after in itertools.pairwise(starts.due)]
    assert gaps == pytest.approx([0.1] * len(gaps))


def test_each_shard_has_its_share_of_the_rate() -> None:
    """Two shards start those that were left behind as fast as one."""
    times = schedule(Open(rate=10), 100, seed=0)
    left = [dataclasses.replace(entry, intended=1.0) for entry in ENTRIES[:6:2]]
    starts = session_starts(left, times, [FIRST], started=1020.0, shard=0, shards=2)

    assert starts.due == pytest.approx([0.0, 0.2, 0.4])


def test_a_third_session_knows_what_was_due_in_each() -> None:
    """A start of the first session's schedule is where the first had it, and so is the second's."""
    entries = [dataclasses.replace(ENTRIES[0], number=number) for number in range(3)]
    starts = session_starts(entries, [4.0, 7.0, 9.0], [FIRST, SECOND], started=1040.0)

    assert starts.first_intended == (4.0, 23.0, None)
    assert starts.session.place == 8.0


def test_closed_arrivals_have_no_schedule() -> None:
    """Those in flight count from their first start; the others start when there is room."""
    begun = dataclasses.replace(ENTRIES[0], intended=2.0, started=2.5)
    starts = session_starts([begun, ENTRIES[1]], None, [FIRST], started=1020.0)

    assert starts.due is None
    assert starts.first_intended == (2.0, None)


def test_a_burst_starts_what_is_left_at_once() -> None:
    """All were due at its start; whoever queued for a slot has waited since then."""
    starts = session_starts(ENTRIES[:5], [0.0] * 5, [FIRST], started=1020.0)

    assert starts.due == (0.0,) * 5
    assert starts.first_intended == (0.0,) * 5


def test_nothing_is_left() -> None:
    """A session of a shard that is complete starts nothing."""
    starts = session_starts([], [], [FIRST], started=1020.0)

    assert (starts.due, starts.first_intended) == ((), ())
