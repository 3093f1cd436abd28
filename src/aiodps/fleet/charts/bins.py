"""Bins of a histogram of latencies, as wide as the number of devices and their spread ask for.

The width is Freedman's and Diaconis's, 2 * IQR / n^(1/3), rounded up to a round number.
If the slowest device took many times as long as the median, each bin is wider than the one before,
by the same factor, on a logarithmic axis; otherwise one slow device would leave a single bar.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aiodps.fleet.measure.histogram import PER_DOUBLING, Histogram, bucket_of, upper_bound
from aiodps.fleet.measure.percentiles import percentile

LEAST_BINS: Final = 4
"""Between the quickest and the slowest device."""
MOST_BINS: Final = 48
_FAR: Final = 10.0
"""Times the median; if the slowest took longer, the axis is logarithmic."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Latencies of about the same length."""

    left: float
    """Seconds."""
    right: float
    """Seconds; for a histogram of samples, the first that is not in it."""
    count: int


def round_up(value: float) -> float:
    """Return the next number of the series 1, 2, 5, 10, 20, 50, and so on."""
    power = 10.0 ** math.floor(math.log10(value))
    step = next(step for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))
    return float(f"{step * power:.3g}")


def is_far(latencies: Sequence[float]) -> bool:
    """Whether the slowest of sorted latencies needs a logarithmic axis."""
    return bool(latencies) and latencies[-1] > _FAR * percentile(latencies, 50) > 0


def bins_of(groups: Sequence[Iterable[float]]) -> list[list[Bin]]:
    """Return the bins of several groups of latencies, which share their edges."""
    ordered = [sorted(group) for group in groups]
    everything = sorted(value for group in ordered for value in group)
    if not everything:
        return [[] for _ in ordered]

    if is_far(everything):
        return [
            log_bins(_as_histogram(group), over=_as_histogram(everything)) for group in ordered
        ]

    width = _width(everything)
    return [_linear(group, width) for group in ordered]


def _width(ordered: Sequence[float]) -> float:
    span = ordered[-1] - ordered[0]
    spread = percentile(ordered, 75) - percentile(ordered, 25)
    wanted = min(max(_freedman(spread, len(ordered)), span / MOST_BINS), span / LEAST_BINS)
    return round_up(wanted or max(ordered[0], 0.001) / 10)


def _freedman(spread: float, count: int) -> float:
    return 2 * spread / math.cbrt(count)


def _linear(ordered: Sequence[float], width: float) -> list[Bin]:
    counts: dict[int, int] = {}
    for value in ordered:
        at = math.floor(value / width + 1e-9)
        counts[at] = counts.get(at, 0) + 1

    return [Bin(at * width, (at + 1) * width, count) for at, count in sorted(counts.items())]


def _as_histogram(latencies: Iterable[float]) -> Histogram:
    counts: dict[int, int] = {}
    for value in latencies:
        bucket = bucket_of(value)
        counts[bucket] = counts.get(bucket, 0) + 1

    return Histogram(buckets=counts)


def log_bins(histogram: Histogram, *, over: Histogram) -> list[Bin]:
    """Return bins whose width in buckets follows from `over`, the histogram of all series."""
    size = _buckets_a_bin(over)
    counts: dict[int, int] = {}
    for bucket, count in histogram.buckets.items():
        at = math.ceil(bucket / size)
        counts[at] = counts.get(at, 0) + count

    return [
        Bin(upper_bound((at - 1) * size), upper_bound(at * size), count)
        for at, count in sorted(counts.items())
    ]


def _buckets_a_bin(over: Histogram) -> int:
    if not over.count:
        return 1

    low, high = (bucket_of(over.percentile(percent) or 0.0) for percent in (25, 75))
    span = max(over.buckets) - min(over.buckets)
    wanted = max(_freedman(high - low, over.count), span / MOST_BINS)
    return next(
        size for size in (1, 2, 4, 8, PER_DOUBLING) if size >= wanted or size == PER_DOUBLING
    )
