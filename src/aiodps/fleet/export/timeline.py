"""The timeline of a run: rates, devices in flight and latencies by slot of time."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiodps.fleet.measure.percentiles import percentile
from aiodps.fleet.measure.sample import Outcome, Sample

_POINTS: Final = 120
"""Slots that a chart can show."""
_WIDTHS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A slot of the timeline. Rates are per second."""

    begin: float
    """Seconds since the start of the run."""
    end: float
    """The same."""
    arrivals: float
    """Devices that should have started."""
    assigned: float
    failed: float
    in_flight: int
    """Most devices in flight at once."""
    p50: float | None
    """Median latency in seconds of devices assigned in the slot; None if there were none."""
    p99: float | None


def slot_width(duration: float, *, slots: int = _POINTS) -> float:
    """Return a round width in seconds for about this number of slots of a run."""
    return next((width for width in _WIDTHS if width * slots >= duration), _WIDTHS[-1])


def timeline(samples: Sequence[Sample], *, width: float) -> list[Slot]:
    """Return the slots of a run, each `width` seconds wide."""
    if not samples:
        return []

    count = 1 + max(max(int(sample.finished / width), 0) for sample in samples)
    return timeline_between(samples, [at * width for at in range(count + 1)])


def timeline_between(samples: Sequence[Sample], edges: Sequence[float]) -> list[Slot]:
    """Return the slots between edges, one fewer than there are edges; all samples are in one."""
    count = max(len(edges) - 1, 0)
    arrivals, failed = [0] * count, [0] * count
    latencies: list[list[float]] = [[] for _ in range(count)]
    for sample in samples:
        arrivals[slot_at(sample.intended, edges)] += 1
        end = slot_at(sample.finished, edges)
        match sample.outcome:
            case Outcome.ASSIGNED:
                latencies[end].append(sample.latency)
            case Outcome.FAILED:
                failed[end] += 1
            case Outcome.INTERRUPTED:
                pass

    peaks = _peaks(samples, edges)
    return [
        Slot(
            begin=begin,
            end=end,
            arrivals=_rate(arrivals[at], end - begin),
            assigned=_rate(len(latencies[at]), end - begin),
            failed=_rate(failed[at], end - begin),
            in_flight=peaks[at],
            p50=_percentile(latencies[at], 50),
            p99=_percentile(latencies[at], 99),
        )
        for at, (begin, end) in enumerate(itertools.pairwise(edges))
    ]


def slot_at(seconds: float, edges: Sequence[float]) -> int:
    """Return the number of the slot of a time; the first and the last take what lies outside."""
    return min(max(bisect_right(edges, seconds) - 1, 0), len(edges) - 2)


def _rate(count: int, seconds: float) -> float:
    return count / seconds if seconds else 0.0


def _percentile(latencies: list[float], percent: int) -> float | None:
    return percentile(sorted(latencies), percent) if latencies else None


def _peaks(samples: Sequence[Sample], edges: Sequence[float]) -> list[int]:
    """Return the most devices in flight in each slot."""
    moments = sorted(
        moment for sample in samples for moment in ((sample.started, 1), (sample.finished, -1))
    )
    peaks, now, at = [0] * max(len(edges) - 1, 0), 0, 0
    for moment, change in moments:
        while at < slot_at(moment, edges):
            at += 1
            peaks[at] = now

        now += change
        peaks[at] = max(peaks[at], now)

    return peaks
