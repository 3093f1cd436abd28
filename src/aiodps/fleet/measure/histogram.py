"""A histogram of durations that can be added up, subtracted and sent during a run.

Buckets are sixteen to a doubling, so that a percentile is at most 4.4 % too high. The results of a
run are computed from its samples instead, exactly.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Self

from aiodps.fleet.measure.percentiles import rank

PER_DOUBLING: Final = 16
_SMALLEST: Final = 1e-4
"""Seconds; what is shorter counts as this."""


def bucket_of(seconds: float) -> int:
    """Return the number of the bucket of a duration."""
    return math.ceil(math.log2(max(seconds, _SMALLEST)) * PER_DOUBLING)


def upper_bound(bucket: int) -> float:
    """Return the greatest duration in a bucket, in seconds."""
    return float(2.0 ** (bucket / PER_DOUBLING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How many durations were in each bucket."""

    buckets: Mapping[int, int] = field(default_factory=dict)
    """Counts by the bucket's number; an empty bucket is missing."""
    total: float = 0.0
    """Sum of the durations in seconds."""

    @property
    def count(self) -> int:
        """The number of durations."""
        return sum(self.buckets.values())

    def at_most(self, seconds: float) -> int:
        """Return how many were no longer; exact for powers of two."""
        last = bucket_of(seconds)
        return sum(count for bucket, count in self.buckets.items() if bucket <= last)

    def since(self, earlier: Self) -> Self:
        """Return what was added after an earlier state."""
        left = Counter(self.buckets)
        left.subtract(earlier.buckets)
        return type(self)(buckets=+left, total=self.total - earlier.total)

    def ordered(self) -> Iterator[tuple[float, int]]:
        """Yield the upper bound of each bucket, ascending, and how many were no longer."""
        reached = 0
        for bucket in sorted(self.buckets):
            reached += self.buckets[bucket]
            yield upper_bound(bucket), reached

    def percentile(self, percent: str | int) -> float | None:
        """Return a percentile, as the upper bound of its bucket; None without durations."""
        wanted = max(rank(self.count, Fraction(percent)), 1)
        return next((seconds for seconds, reached in self.ordered() if reached >= wanted), None)

    def to_json(self) -> dict[str, Any]:
        """Return the histogram as plain data."""
        return {"buckets": [*self.buckets.items()], "total": self.total}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned."""
        return cls(buckets=dict(map(tuple, data["buckets"])), total=data["total"])


def total_histogram(histograms: Iterable[Histogram]) -> Histogram:
    """Return the histogram of several together."""
    buckets: Counter[int] = Counter()
    total = 0.0
    for each in histograms:
        buckets.update(each.buckets)
        total += each.total

    return Histogram(buckets=dict(buckets), total=total)
