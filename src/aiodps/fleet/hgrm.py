"""`percentiles.hgrm`: the text that HdrHistogram's own tools plot and compare."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aiodps.fleet.percentiles import Distribution, curve

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
