"""Figures of the sessions and shards of a run: when each ran, and what it did.

A run that was stopped and resumed has pauses, in which no shard ran. They are part of the latency
of devices that waited in them, and no part of any rate.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.measure.sample import Outcome, Sample

OVERLAP: Final = 0.9
"""Least share of the time in which all shards run whose figures are those of one run."""

Span: TypeAlias = tuple[float, float]
"""A span of time in seconds of the run."""


def pauses(spans: Iterable[Span]) -> list[Span]:
    """Return the gaps between spans of time that may overlap, in order."""
    gaps: list[Span] = []
    reached = math.inf
    for begin, end in sorted(spans):
        if begin > reached:
            gaps.append((reached, begin))

        reached = end if reached == math.inf else max(reached, end)

    return gaps


def without_pauses(sessions: Sequence[SessionFacts]) -> Callable[[Sample], Sample]:
    """Return a function that moves a sample onto a time axis without the pauses of the run.

    There, its intended start is where the schedule has it; what caught up after a resume is a
    pause of the schedule, but not of the run.
    """
    ran = pauses((one.began, one.finished) for one in sessions)
    scheduled = pauses(
        (one.run_seconds(one.place), one.run_seconds(one.reached)) for one in sessions
    )

    def moved(sample: Sample) -> Sample:
        return dataclasses.replace(
            sample,
            intended=_moved(sample.intended, scheduled),
            started=_moved(sample.started, ran),
            finished=_moved(sample.finished, ran),
        )

    return moved if ran or scheduled else lambda sample: sample


def session_figures(
    sessions: Sequence[SessionFacts], samples: Sequence[Sample]
) -> list[dict[str, Any]]:
    """Return the figures of each session of each shard.

    Returns:
        `shard`, `session` (from 0), `started_at`, `began` and `ended` in seconds of the run
        (`ended` is None if it was killed), `last_seen`, `place` in the schedule, `devices` that
        should have started in it, `left_behind` of them for a later session, `assigned` and
        `failed` in it, `offered_rate` and `achieved_rate`.
    """
    return [
        _figures(session, until, [one for one in samples if one.shard == session.shard])
        for session, until in _windows(sessions)
    ]


def shard_figures(
    sessions: Sequence[SessionFacts], samples: Sequence[Sample]
) -> dict[str, float | None]:
    """Return how far the shards of a run were together.

    Returns:
        `overlap`: the share of the shortest shard's time in which all ran; None for one shard.
        `started_apart`: seconds between the first start and the last. `skew`: the seconds by
        which a clock was off the leader's at most; None if there was no leader: it is not known.
    """
    first = [one for one in sessions if one.number == 0]
    skews = [abs(one.skew) for one in sessions if one.skew is not None]
    starts = [one.began for one in first]
    return {
        "overlap": _overlap(samples),
        "started_apart": max(starts) - min(starts) if starts else None,
        "skew": max(skews) if len(skews) == len(sessions) > 0 else None,
    }


def _windows(sessions: Sequence[SessionFacts]) -> Iterator[tuple[SessionFacts, float]]:
    """Yield each session with the time until which things happened in it, in its shard."""
    for session in sessions:
        later = [
            one.began
            for one in sessions
            if one.shard == session.shard and one.number > session.number
        ]
        yield session, min(later, default=math.inf)


def _figures(session: SessionFacts, until: float, samples: Sequence[Sample]) -> dict[str, Any]:
    due = [one for one in samples if session.began <= one.intended < until]
    ends = [one for one in samples if session.began <= one.finished < until]
    assigned = [one for one in ends if one.outcome is Outcome.ASSIGNED]
    intended = [one.intended for one in due]
    last = max((one.finished for one in assigned), default=session.began)
    return {
        "shard": session.shard,
        "session": session.number,
        "started_at": datetime.fromtimestamp(session.started, UTC).isoformat(),
        "began": session.began,
        "ended": session.finished if session.ended else None,
        "last_seen": session.finished,
        "place": session.place,
        "devices": len(due),
        "left_behind": sum(one.resumed for one in due),
        "assigned": len(assigned),
        "failed": sum(one.outcome is Outcome.FAILED for one in ends),
        "offered_rate": _rate(
            len(due) - 1, max(intended, default=0.0) - min(intended, default=0.0)
        ),
        "achieved_rate": _rate(len(assigned), last - session.began),
    }


def _overlap(samples: Sequence[Sample]) -> float | None:
    spans: dict[int, Span] = {}
    for one in samples:
        begin, end = spans.get(one.shard, (math.inf, -math.inf))
        spans[one.shard] = min(begin, one.intended), max(end, one.finished)

    if len(spans) < 2:  # noqa: PLR2004 (one shard is always together)
        return None

    shortest = min(end - begin for begin, end in spans.values())
    common = min(end for _, end in spans.values()) - max(begin for begin, _ in spans.values())
    return max(0.0, common) / shortest if shortest > 0 else None


def _moved(at: float, gaps: Sequence[Span]) -> float:
    return at - sum(min(at, end) - begin for begin, end in gaps if at > begin)


def _rate(count: int, seconds: float) -> float | None:
    return count / seconds if seconds > 0 else None
