"""The timeline of a run: rates, devices in flight and latencies by slot of time."""

from __future__ import annotations

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
    """Return the width in seconds of about so many slots of a run: a round number."""
    return next((width for width in _WIDTHS if width * slots >= duration), _WIDTHS[-1])


def timeline(samples: Sequence[Sample], *, width: float) -> list[Slot]:
    """Return the slots of a run, each `width` seconds wide."""
    if not samples:
        return []

    count = 1 + max(_slot(sample.finished, width) for sample in samples)
    arrivals, failed = [0] * count, [0] * count
    latencies: list[list[float]] = [[] for _ in range(count)]
    for sample in samples:
        arrivals[min(_slot(sample.intended, width), count - 1)] += 1
        end = _slot(sample.finished, width)
        match sample.outcome:
            case Outcome.ASSIGNED:
                latencies[end].append(sample.latency)
            case Outcome.FAILED:
                failed[end] += 1
            case Outcome.INTERRUPTED:
                pass

    peaks = _peaks(samples, width, count)
    return [
        Slot(
            begin=at * width,
            arrivals=arrivals[at] / width,
            assigned=len(latencies[at]) / width,
            failed=failed[at] / width,
            in_flight=peaks[at],
            p50=_percentile(latencies[at], 50),
            p99=_percentile(latencies[at], 99),
        )
        for at in range(count)
    ]


def _slot(at: float, width: float) -> int:
    return max(int(at / width), 0)


def _percentile(latencies: list[float], percent: int) -> float | None:
    return percentile(sorted(latencies), percent) if latencies else None


def _peaks(samples: Sequence[Sample], width: float, count: int) -> list[int]:
    """Return the most devices in flight in each slot."""
    moments = sorted(
        moment for sample in samples for moment in ((sample.started, 1), (sample.finished, -1))
    )
    peaks, now, at = [0] * count, 0, 0
    for moment, change in moments:
        while at < min(_slot(moment, width), count - 1):
            at += 1
            peaks[at] = now

        now += change
        peaks[at] = max(peaks[at], now)

    return peaks
