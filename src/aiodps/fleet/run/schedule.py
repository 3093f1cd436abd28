"""The starts of one session: a schedule that continues after a pause.

Devices that an earlier session left behind, in flight or due and not started, start first, spaced
as the schedule is on average, so that a resumed run never exceeds its rate. Then the schedule goes
on where it stopped. What was left behind counts from its first intended start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiodps.fleet.journal.journal import Entry
from aiodps.fleet.journal.sessions import SessionFacts, began, scheduled_run_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarts:
    """When the registrations of a session start, in the order in which they are started."""

    session: SessionFacts
    """The session, which has not run yet."""
    first_intended: tuple[float | None, ...]
    """The first intended start in seconds of the run, of those that an earlier session left
    behind; None for all others."""
    due: tuple[float, ...] | None
    """Seconds after the start of the session; None with closed arrivals."""


def session_starts(
    entries: Sequence[Entry],
    times: Sequence[float] | None,
    earlier: Sequence[SessionFacts],
    *,
    started: float,
    skew: float | None = None,
    shard: int = 0,
    shards: int = 1,
) -> SessionStarts:
    """Return the starts of a session.

    Args:
        entries: The remaining registrations, those that have begun before the others.
        times: The schedule of the whole run, by number; None with closed arrivals.
        earlier: The earlier sessions of the shard.
        started: When the session starts, in seconds since 1970.
        skew: How far this machine's clock is ahead of that time's; None if nobody knows.
        shard: The shard.
        shards: The number of shards, each of which has its share of the rate.
    """
    first = tuple(_first_intended(entry, times, earlier) for entry in entries)
    behind = sum(intended is not None for intended in first)
    gap = shards * times[-1] / (len(times) - 1) if times and len(times) > 1 else 0.0
    place = earlier[-1].reached if earlier else 0.0
    begins, catch_up = began(earlier, started=started), behind * gap
    session = SessionFacts(
        shard=shard,
        number=len(earlier),
        started=started,
        skew=skew,
        began=begins,
        place=place,
        shift=begins + catch_up - place,
    )
    due = (
        None
        if times is None
        else tuple(
            position * gap if position < behind else catch_up + times[entry.number] - place
            for position, entry in enumerate(entries)
        )
    )
    return SessionStarts(session=session, first_intended=first, due=due)


def _first_intended(
    entry: Entry, times: Sequence[float] | None, earlier: Sequence[SessionFacts]
) -> float | None:
    if entry.intended is not None or times is None:
        return entry.intended

    return scheduled_run_seconds(earlier, times[entry.number])
