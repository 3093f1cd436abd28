"""Exact percentiles of raw samples: nearest rank, without interpolation and without buckets.

The p-th percentile of n values is the value at rank ceil(p/100 * n): a measured value, and at
least p % of all values are no greater. numpy calls it `inverted_cdf`. Ranks are computed with
fractions: in floats, 0.07 * 100 is more than 7, and the result one rank too high.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from aiodps.fresh_files import write_fresh

REPORTED: Final = ("50", "75", "90", "95", "99", "99.9")
"""The percentiles in summaries, besides the maximum."""


def percentile(ordered: Sequence[float], percent: str | int | Fraction) -> float:
    """Return a percentile of sorted values.

    Args:
        ordered: Values in ascending order.
        percent: From 0 (the minimum) to 100 (the maximum), as an integer, a string ("99.9") or a
            fraction; a float would be inexact.

    Raises:
        ValueError: there are no values, or `percent` is out of range.
    """
    if not ordered:
        raise ValueError("there are no values to take a percentile of")

    return ordered[max(rank(len(ordered), Fraction(percent)), 1) - 1]


def rank(count: int, percent: Fraction) -> int:
    """Return the rank of a percentile among `count` values."""
    if not 0 <= percent <= 100:  # noqa: PLR2004
        raise ValueError(f"{percent} is not a percentile: it must be from 0 to 100")

    return math.ceil(percent * count / 100)


def describe(values: Iterable[float]) -> dict[str, Any] | None:
    """Return the statistics of values in any order, in their unit; None if there are none.

    Returns:
        count, mean, deviation (of the whole population), p50 ... p99.9, max, total, unsupported
        (see `unsupported`).

    Raises:
        ValueError: a value is not a number.
    """
    ordered = _sorted(values)
    if not ordered:
        return None

    total = math.fsum(ordered)
    mean = total / len(ordered)
    variance = math.fsum((value - mean) ** 2 for value in ordered) / len(ordered)
    return {
        "count": len(ordered),
        "mean": mean,
        "deviation": math.sqrt(variance),
        **{f"p{name}": percentile(ordered, name) for name in REPORTED},
        "max": ordered[-1],
        "total": total,
        "unsupported": unsupported(len(ordered)),
    }


def describe_all(values: Iterable[float], *, never: int) -> dict[str, Any]:
    """Return the percentiles of all that began, of which `never` more have no value.

    Returns:
        count (of all), never, p50 ... p99.9 (None where it falls on one without a value),
        unsupported.

    Raises:
        ValueError: a value is not a number.
    """
    ordered = [*_sorted(values), *[None] * never]
    ranks = {f"p{name}": max(rank(len(ordered), Fraction(name)), 1) for name in REPORTED}
    return {
        "count": len(ordered),
        "never": never,
        **{name: ordered[at - 1] if ordered else None for name, at in ranks.items()},
        "unsupported": unsupported(len(ordered)),
    }


def unsupported(count: int) -> list[str]:
    """Return the reported percentiles that so few values do not carry: they are the maximum.

    p99.9 needs a thousand values: less than one of them is greater otherwise.
    """
    return [f"p{name}" for name in REPORTED if rank(count, Fraction(name)) >= count]


def _sorted(values: Iterable[float]) -> list[float]:
    ordered = sorted(values)
    if any(map(math.isnan, ordered)):
        raise ValueError("a value is NaN, not a number")

    return ordered


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a percentile curve."""

    percent: Fraction
    value: float
    count: int
    """Number of values up to this rank."""

    @property
    def one_in(self) -> float | None:
        """Return 1 / (1 - percentile): one in this many values is greater; None at 100 %."""
        rest = 100 - self.percent
        return float(100 / rest) if rest else None


def curve(ordered: Sequence[float], *, ticks: int = 5) -> Iterator[Point]:
    """Yield the percentile curve of sorted values; see `curve_of`."""
    return curve_of(len(ordered), lambda reached: ordered[reached - 1], ticks=ticks)


def curve_of(count: int, value_at: Callable[[int], float], *, ticks: int = 5) -> Iterator[Point]:
    """Yield a percentile curve in the steps of HdrHistogram: `ticks` for each halved remainder.

    So the tail gets as many points as the middle. The last point is the maximum.

    Args:
        count: Number of values.
        value_at: Returns the value of a rank, from 1 to `count`.
        ticks: Points for each halved remainder.
    """
    percent = Fraction(0)
    while count and (reached := max(rank(count, percent), 1)) < count:
        yield Point(percent, value_at(reached), reached)
        halvings = math.floor(100 / (100 - percent)).bit_length()
        percent += Fraction(100, ticks * 2**halvings)

    if count:
        yield Point(Fraction(100), value_at(count), count)


_HEAD = f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n\n"


def write_hgrm(path: Path, seconds: Iterable[float]) -> None:
    """Write a percentile distribution in milliseconds; replaces an existing file.

    Raises:
        OSError: the file could not be written.
    """
    write_fresh(path, hgrm(seconds))


def hgrm(seconds: Iterable[float]) -> str:
    """Return a percentile distribution in milliseconds, in HdrHistogram's text format."""
    ordered = sorted(1000 * value for value in seconds)
    rows = [
        f"{point.value:12.3f} {float(point.percent / 100):14.12f} {point.count:10d}"
        + (f" {point.one_in:14.2f}\n" if point.one_in is not None else "\n")
        for point in curve(ordered)
    ]
    facts = describe(ordered) or {"mean": 0, "deviation": 0, "max": 0}
    foot = (
        f"#[Mean    = {facts['mean']:12.3f}, StdDeviation   = {facts['deviation']:12.3f}]\n"
        f"#[Max     = {facts['max']:12.3f}, Total count    = {len(ordered):12d}]\n"
        "#[Buckets =            0, SubBuckets     =            0]\n"
    )
    return _HEAD + "".join(rows) + foot
