"""Thresholds that a run misses whatever its remaining devices do.

Counts and latencies only ever add up, and the number of devices is known. So it is certain that
p99 will exceed a limit as soon as more than one hundredth of all devices have exceeded it. No run
is ended that could have kept its thresholds; those on the rate, on the generator and on what is
unfinished are known at the end only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fractions import Fraction
from typing import Final

from aiodps.fleet.measure.histogram import Histogram, upper_bound
from aiodps.fleet.measure.percentiles import rank
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.measure.transport_progress import REQUESTS, TransportProgress
from aiodps.fleet.report.summary import PERCENTILES
from aiodps.fleet.report.thresholds import Threshold

_UPWARD: Final = frozenset((">", ">="))


def hopeless(
    thresholds: Iterable[Threshold], progress: Progress, *, transports: Collection[str]
) -> list[str]:
    """Return the thresholds that can no longer be kept, with their transport; empty if none.

    Args:
        thresholds: The thresholds of the run.
        progress: The progress of all shards.
        transports: The transports of the run, which share the registrations evenly.
    """
    planned = progress.total // max(len(transports), 1)
    return [
        f"{threshold.text} ({name})"
        for threshold in thresholds
        for name, each in sorted(progress.transports.items())
        if threshold.transport in {None, name} and _is_hopeless(threshold, each, planned)
    ]


def _is_hopeless(threshold: Threshold, progress: TransportProgress, planned: int) -> bool:
    if (threshold.compare in _UPWARD) is (threshold.metric == "within") or not planned:
        return False

    percent = {"max": "100"}.get(threshold.metric, threshold.metric.removeprefix("p"))
    if threshold.metric in {*PERCENTILES, "max"}:
        # At most this many may be longer, if all others are assigned.
        most = planned - _failed(progress)
        allowed = most - rank(most, Fraction(percent))
        return _certainly_longer(progress.latencies, threshold.limit) > allowed

    best = _best_value(threshold, progress, planned)
    return best is not None and threshold.missed_by(best)


def _best_value(threshold: Threshold, progress: TransportProgress, planned: int) -> float | None:
    """Return the value at the end if all goes well from now on; None if it is not known."""
    match threshold.metric:
        case "within":
            longer = _certainly_longer(progress.latencies, threshold.within or 0.0)
            return (planned - _failed(progress) - longer) / planned
        case "errors":
            return _failed(progress) / (planned if threshold.share else 1)
        case "mean":
            return progress.latencies.total / planned
        case metric if metric in REQUESTS:
            return progress.requests.get(metric, 0) / planned
        case _:
            return None


def _failed(progress: TransportProgress) -> int:
    return progress.outcomes.get(Outcome.FAILED.value, 0)


def _certainly_longer(latencies: Histogram, seconds: float) -> int:
    """Return how many durations were longer, without those in the bucket of the limit."""
    return sum(
        count for bucket, count in latencies.buckets.items() if upper_bound(bucket - 1) >= seconds
    )
