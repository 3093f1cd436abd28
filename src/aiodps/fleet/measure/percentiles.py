"""Exact percentiles from raw samples: nearest rank, nothing interpolated, nothing in buckets.

The p-th percentile of n values is the value at rank ceil(p/100 * n): one that was measured, and
at least p % of all are no greater. That is numpy's `inverted_cdf`. Ranks are made of whole
numbers: as floats 0.07 * 100 is more than 7, and the answer one rank too far.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

REPORTED: Final = ("50", "75", "90", "95", "99", "99.9")
"""The percentiles that summaries show, beside the greatest value."""


def percentile(ordered: Sequence[float], percent: str | int | Fraction) -> float:
    """Return the value that at least `percent` of 100 are no greater than.

    Args:
        ordered: Values in ascending order.
        percent: From 0 (the least) to 100 (the greatest), as a whole number, text ("99.9") or
            fraction; a float would not say what is meant.

    Raises:
        ValueError: there are no values, or `percent` is out of range.
    """
    if not ordered:
        raise ValueError("no values, no percentile")

    return ordered[max(rank(len(ordered), Fraction(percent)), 1) - 1]


def rank(count: int, percent: Fraction) -> int:
    """Return how many of `count` values lie at or below a percentile; at least one if above 0."""
    if not 0 <= percent <= 100:  # noqa: PLR2004
        raise ValueError(f"{percent} is no percentile: it must be from 0 to 100")

    return math.ceil(percent * count / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What is said about many values, in the unit of the values."""

    count: int
    mean: float
    deviation: float
    """Standard deviation of the values themselves."""
    percentiles: dict[str, float]
    """By `REPORTED`."""
    max: float
    total: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Distribution | None:
        """Describe values in any order; None if there are none."""
        ordered = sorted(values)
        if not ordered:
            return None

        total = math.fsum(ordered)
        mean = total / len(ordered)
        variance = math.fsum((value - mean) ** 2 for value in ordered) / len(ordered)
        return cls(
            count=len(ordered),
            mean=mean,
            deviation=math.sqrt(variance),
            percentiles={name: percentile(ordered, name) for name in REPORTED},
            max=ordered[-1],
            total=total,
        )

    def plain(self) -> dict[str, float]:
        """Return it as one flat mapping for JSON: mean, deviation, p50 ... p99.9, max, total."""
        named = {f"p{name}": value for name, value in self.percentiles.items()}
        return (
            {"mean": self.mean, "deviation": self.deviation}
            | named
            | {
                "max": self.max,
                "total": self.total,
            }
        )


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a percentile curve."""

    percent: Fraction
    value: float
    count: int
    """How many values lie at or below this rank."""

    @property
    def one_in(self) -> float | None:
        """Return 1 / (1 - percentile): one in so many is slower; None at 100 %."""
        rest = 100 - self.percent
        return float(100 / rest) if rest else None


def curve(ordered: Sequence[float], *, ticks: int = 5) -> Iterator[Point]:
    """Walk a distribution as HdrHistogram does: `ticks` steps each time the rest is halved.

    So the far end, where the trouble is, gets as many points as the middle. The walk ends when a
    step would be beyond the last but one value, with the greatest.
    """
    count = len(ordered)
    percent = Fraction(0)
    while count and (reached := max(rank(count, percent), 1)) < count:
        yield Point(percent, ordered[reached - 1], reached)
        halvings = math.floor(100 / (100 - percent)).bit_length()
        percent += Fraction(100, ticks * 2**halvings)

    if count:
        yield Point(Fraction(100), ordered[-1], count)


_HEAD = f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n\n"


def write_hgrm(path: Path, seconds: Iterable[float]) -> None:
    """Write a percentile distribution in milliseconds; an existing file is replaced.

    Raises:
        OSError: the file could not be written.
    """
    path.write_text(hgrm(seconds), encoding="utf-8")


def hgrm(seconds: Iterable[float]) -> str:
    """Format a percentile distribution in milliseconds: exact values on HdrHistogram's steps."""
    ordered = sorted(1000 * value for value in seconds)
    rows = [
        f"{point.value:12.3f} {float(point.percent / 100):14.12f} {point.count:10d}"
        + (f" {point.one_in:14.2f}\n" if point.one_in is not None else "\n")
        for point in curve(ordered)
    ]
    facts = Distribution.of(ordered)
    mean, deviation, most = (facts.mean, facts.deviation, facts.max) if facts else (0, 0, 0)
    foot = (
        f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]\n"
        f"#[Max     = {most:12.3f}, Total count    = {len(ordered):12d}]\n"
        "#[Buckets =            0, SubBuckets     =            0]\n"
    )
    return _HEAD + "".join(rows) + foot
