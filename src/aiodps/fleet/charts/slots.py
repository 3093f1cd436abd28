"""Slots of time of a run, wide enough that each has enough devices for a rate.

Fixed slots turn a steady rate into a sawtooth: at 3 devices a second, half a second has one or
two. Here the width follows from the duration and the number of devices, and an event counts over
the time since the one before it, so that at the edge of two slots it counts to both in parts.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from aiodps.fleet.export.timeline import Slot, slot_at, timeline_between
from aiodps.fleet.measure.sample import Outcome, Sample

Span: TypeAlias = tuple[float, float]
"""A span of time in seconds of the run."""

SLOTS_BY_ROOT: Final = 0.75
"""Slots by the root of the number of devices: with more of them, slots are more, and fuller."""
LEAST_SLOTS: Final = 12
MOST_SLOTS: Final = 120
_MINUTES: Final = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
_LONG: Final = 40.0
"""Seconds; slots of about that are of whole minutes."""
_SHORTEST: Final = 1e-3
"""Seconds."""


def slot_count(devices: int) -> int:
    """Return the number of slots for a number of devices."""
    return min(max(round(SLOTS_BY_ROOT * math.sqrt(devices)), LEAST_SLOTS), MOST_SLOTS)


def slot_width(duration: float, devices: int) -> float:
    """Return the width of a slot in seconds: a round number.

    Args:
        duration: Of the run, without its pauses, in seconds.
        devices: Of the transport that has the fewest.
    """
    wanted = max(duration / slot_count(devices), _SHORTEST)
    power = 10.0 ** math.floor(math.log10(wanted))
    seconds = (float(f"{step * power:.1g}") for step in (1, 2, 3, 5, 10))
    return min(
        (width for width in (*seconds, *_MINUTES) if (width < _MINUTES[0]) == (wanted < _LONG)),
        key=lambda width: abs(math.log(width / wanted)),
    )


def edges_of(running: Iterable[Span], width: float) -> list[float]:
    """Return the edges of the slots of a run.

    No slot reaches into a pause, and none is less than half as wide as the others: a rate over a
    short time is meaningless.

    Args:
        running: The spans of time in which the run ran, in order; between them are pauses.
        width: The width of a slot.
    """
    edges: list[float] = []
    for begin, end in running:
        count = max(math.floor((end - begin) / width + 0.5), 1)
        edges += [begin, *(begin + width * at for at in range(1, count)), max(end, begin)]

    return edges


def slots_of(samples: Sequence[Sample], running: Sequence[Span], *, width: float) -> list[Slot]:
    """Return the slots of the samples of a transport; pauses have none."""
    edges = edges_of(running, width)
    arrivals = rates((one.intended for one in samples), edges, most=width)
    assigned, failed = (
        rates((one.finished for one in samples if one.outcome is outcome), edges, most=width)
        for outcome in (Outcome.ASSIGNED, Outcome.FAILED)
    )
    slots = timeline_between(samples, edges)
    ends = {end for _, end in running[:-1]}  # here a pause begins
    return [
        replace(slot, arrivals=arrivals[at], assigned=assigned[at], failed=failed[at])
        for at, slot in enumerate(slots)
        if slot.begin not in ends
    ]


def rates(times: Iterable[float], edges: Sequence[float], *, most: float) -> list[float]:
    """Return events per second in each slot.

    An event counts over the time since the one before it, `most` seconds at most: beyond, nothing
    has happened, and the rate is 0.
    """
    found = [0.0] * (len(edges) - 1)
    for begin, end in _intervals(sorted(times), most):
        for at in range(*_slots_between(begin, end, edges)):
            inside = min(end, edges[at + 1]) - max(begin, edges[at])
            found[at] += max(inside, 0.0) / (end - begin) if end > begin else 1.0

    widths = [right - left for left, right in itertools.pairwise(edges)]
    return [part / width if width else 0.0 for part, width in zip(found, widths, strict=True)]


def _intervals(ordered: Sequence[float], most: float) -> Iterator[Span]:
    """Yield the time over which each event counts; the first one has none before it."""
    if len(ordered) == 1:
        yield ordered[0], ordered[0]
        return

    for before, at in zip((None, *ordered), ordered, strict=False):
        since = ordered[1] - ordered[0] if before is None else at - before
        yield at - min(since, most), at


def _slots_between(begin: float, end: float, edges: Sequence[float]) -> tuple[int, int]:
    """Return the first slot that an interval touches, and the one after the last."""
    first = slot_at(min(end, begin), edges)
    return first, max(min(bisect_left(edges, end), len(edges) - 1), first + 1)
