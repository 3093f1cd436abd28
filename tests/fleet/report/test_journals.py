"""Shards on one time axis, and those that were in flight when a session broke."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tests.fleet.journal.test_journal import PLANNED
from tests.fleet.journal.test_sessions import FIRST
from tests.fleet.report.test_results import run_folder
from tests.fleet.samples import sample

from aiodps.fleet.journal.journal import State
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.report.journals import ShardJournal, on_one_axis, read_journals

ASSIGNED = dataclasses.replace(
    PLANNED[0],
    state=State.ASSIGNED,
    intended=1.0,
    started=1.5,
    sample=sample(intended=1.0, started=1.5, finished=2.0),
)


def test_shards_are_shifted_by_when_they_started() -> None:
    """One that started three seconds later is three seconds later: no second wave at once."""
    first = ShardJournal((ASSIGNED,), (FIRST,))
    second = ShardJournal((ASSIGNED, PLANNED[1]), (dataclasses.replace(FIRST, started=1003.0),))
    never = ShardJournal((PLANNED[2],), ())
    early, late, idle = on_one_axis([first, second, never])

    assert (early, idle) == (first, never)
    entry = late.entries[0]
    assert entry.sample is not None
    assert (entry.intended, entry.started) == (4.0, 4.5)
    assert (entry.sample.intended, entry.sample.started, entry.sample.finished) == (4.0, 4.5, 5.0)
    assert entry.sample.latency == 1.0
    assert late.entries[1] == PLANNED[1]
    assert (late.sessions[0].began, late.sessions[0].run_seconds(1.0)) == (3.0, 4.0)


def test_whoever_was_in_flight_at_a_kill_is_told() -> None:
    """It had begun, and how it would have ended nobody knows: interrupted at the last sign."""
    begun = dataclasses.replace(PLANNED[3], state=State.SENT, sent=1, intended=4.0, started=4.5)
    late = dataclasses.replace(begun, started=9.0)
    journal = ShardJournal((ASSIGNED, PLANNED[1], begun, late), (FIRST,)).with_interrupted()

    assert journal.entries[:2] == (ASSIGNED, PLANNED[1])
    told = journal.entries[2].sample
    assert told is not None
    assert told.outcome is Outcome.INTERRUPTED
    assert (told.intended, told.started, told.finished) == (4.0, 4.5, 5.0)
    assert told.register_requests == 1
    assert journal.entries[3].sample is not None
    assert journal.entries[3].sample.finished == 9.0


def test_a_shard_without_a_journal(tmp_path: Path) -> None:
    """It is named; the others are read."""
    folder = run_folder(tmp_path / "run", shards=2)
    journals, missing = read_journals(folder, RunFile.read(folder))

    assert (len(journals), missing) == (1, (1,))
