"""The journals of a run's shards, on one time axis.

Each shard counts its seconds from the start of its own first session. Shards that started at
different times are shifted by the difference, so that their time axes agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiodps.errors import JournalError
from aiodps.fleet.journal.journal import Entry, Journal, journal_path
from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.plan.run_file import RunFile


@dataclass(frozen=True, slots=True)
class ShardJournal:
    """What the journal of one shard says."""

    entries: tuple[Entry, ...]
    """In the order of the run."""
    sessions: tuple[SessionFacts, ...]
    """Oldest first; empty if the shard has never started."""

    def with_interrupted(self) -> ShardJournal:
        """Return it with a sample of each registration that was in flight when a session broke.

        Nothing is known of how these would have ended, only that they had begun.
        """
        return dataclasses.replace(
            self, entries=tuple(_with_sample(one, self.sessions) for one in self.entries)
        )

    def shifted(self, seconds: float) -> ShardJournal:
        """Return it on a time axis that started this many seconds earlier."""
        if not seconds:
            return self

        return ShardJournal(
            entries=tuple(_shifted_entry(one, seconds) for one in self.entries),
            sessions=tuple(
                dataclasses.replace(one, began=one.began + seconds, shift=one.shift + seconds)
                for one in self.sessions
            ),
        )


def read_journals(folder: Path, run: RunFile) -> tuple[list[ShardJournal], tuple[int, ...]]:
    """Read the journals of a run folder, on one time axis.

    Returns:
        The journals, and the shards that have none here.

    Raises:
        JournalError: If a journal is in use or damaged.
    """
    journals: list[ShardJournal] = []
    missing: list[int] = []
    for shard in range(run.options.shards):
        try:
            with Journal.open(journal_path(folder, shard), run_id=run.run_id) as journal:
                facts = ShardJournal(tuple(journal.entries()), tuple(journal.sessions()))
                journals.append(facts.with_interrupted())
        except JournalError as error:
            if error.reason != "missing":
                raise

            missing.append(shard)

    return on_one_axis(journals), tuple(missing)


def on_one_axis(journals: Sequence[ShardJournal]) -> list[ShardJournal]:
    """Shift each journal by how much later it started than the first one, by the wall clock."""
    starts = [each.sessions[0].started for each in journals if each.sessions]
    return [
        each.shifted(each.sessions[0].started - min(starts)) if each.sessions else each
        for each in journals
    ]


def _with_sample(entry: Entry, sessions: Sequence[SessionFacts]) -> Entry:
    if entry.sample is not None or entry.intended is None or entry.started is None:
        return entry

    sample = Sample(
        registration_id=entry.registration_id,
        transport=entry.transport,
        shard=sessions[-1].shard,
        intended=entry.intended,
        started=entry.started,
        finished=max(entry.started, sessions[-1].finished),
        outcome=Outcome.INTERRUPTED,
        register_requests=entry.sent,
    )
    return dataclasses.replace(entry, sample=sample)


def _shifted_entry(entry: Entry, seconds: float) -> Entry:
    if entry.sample is None or entry.intended is None or entry.started is None:
        return entry

    sample = dataclasses.replace(
        entry.sample,
        intended=entry.sample.intended + seconds,
        started=entry.sample.started + seconds,
        finished=entry.sample.finished + seconds,
    )
    return dataclasses.replace(
        entry,
        intended=entry.intended + seconds,
        started=entry.started + seconds,
        sample=sample,
    )
