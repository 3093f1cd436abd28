"""The file is what HdrHistogram's own tools read."""

from __future__ import annotations

import re
from pathlib import Path

from hdrh.histogram import HdrHistogram

from aiodps.fleet.hgrm import hgrm, write_hgrm

ROW = re.compile(r"^ *(\d+\.\d{3}) ([01]\.\d{12}) +(\d+)(?: +(\d+\.\d\d))?$")


def test_form() -> None:
    """A head, rows of value, percentile, count and 1/(1-percentile), three lines of foot."""
    lines = hgrm([0.001 * number for number in range(1, 1001)]).splitlines()
    rows = [ROW.match(line) for line in lines[2:-3]]

    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert all(rows)
    assert [row.group(1, 3, 4) for row in rows if row and row.group(2) == "0.500000000000"] == [
        ("500.000", "500", "2.00")
    ]
    assert lines[-4].split() == ["1000.000", "1.000000000000", "1000"]
    assert lines[-3:] == [
        "#[Mean    =      500.500, StdDeviation   =      288.675]",
        "#[Max     =     1000.000, Total count    =         1000]",
        "#[Buckets =            0, SubBuckets     =            0]",
    ]


def test_the_same_lines_as_hdrhistogram(tmp_path: Path) -> None:
    """Theirs and ours have the same columns, ours the exact values."""
    histogram = HdrHistogram(1, 3_600_000_000, 3)
    seconds = [0.002 * number for number in range(1, 101)]
    for value in seconds:
        histogram.record_value(round(value * 1e6))

    with (tmp_path / "theirs").open("wb") as file:
        histogram.output_percentile_distribution(file, 1000)

    write_hgrm(tmp_path / "ours", seconds)
    theirs = (tmp_path / "theirs").read_text().splitlines()
    ours = (tmp_path / "ours").read_text().splitlines()

    assert all(map(ROW.match, ours[2:-3]))
    assert all(map(ROW.match, theirs[2:-3]))
    assert theirs[0].split() == ours[0].split()


def test_nothing() -> None:
    """No samples give a file without rows."""
    assert "Total count    =            0" in hgrm([])
