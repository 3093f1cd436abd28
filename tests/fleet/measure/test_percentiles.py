"""Percentiles are exact: numpy and HdrHistogram are asked whether they agree."""

from __future__ import annotations

import math
import random
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from aiodps.fleet.measure.percentiles import (
    REPORTED,
    curve,
    describe,
    describe_all,
    hgrm,
    percentile,
    rank,
    write_hgrm,
)

VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=300)


@given(values=VALUES, permille=st.integers(0, 1000))
def test_a_percentile_is_a_value_with_enough_at_or_below_it(
    values: list[float], permille: int
) -> None:
    """At least p % are no greater, and no smaller value of them all has that property."""
    found = percentile(sorted(values), Fraction(permille, 10))
    below = [value for value in values if value < found]

    assert found in values
    assert sum(value <= found for value in values) * 1000 >= permille * len(values)
    assert len(below) * 1000 < permille * len(values) or not below


@pytest.mark.parametrize("name", REPORTED)
def test_numpy_agrees_for_numbers_of_values(name: str) -> None:
    """`numpy.quantile` and `numpy.percentile` with "inverted_cdf" take the same rank.

    But for p99.9 of full thousands: `numpy.percentile` divides by 100 in floats first, and
    99.9 / 100 is more than 0.999 there, so that its p99.9 of 1000 values is the greatest.
    """
    fraction = float(Fraction(name) / 100)
    for count in (*range(1, 203), *range(999, 1003), 2000, 9_999, 10_000, 100_000):
        values = np.arange(count)
        ours = percentile(range(count), name)

        assert ours == np.quantile(values, fraction, method="inverted_cdf")
        if name != "99.9" or count % 1000:
            assert ours == np.percentile(values, float(name), method="inverted_cdf")


@given(values=VALUES)
def test_numpy_agrees_about_a_distribution(values: list[float]) -> None:
    """Percentiles, greatest, mean and deviation are numpy's."""
    facts = describe(values)
    assert facts is not None
    for name in REPORTED:
        fraction = float(Fraction(name) / 100)
        assert facts[f"p{name}"] == np.quantile(values, fraction, method="inverted_cdf")

    assert facts["max"] == np.max(values)
    assert facts["mean"] == pytest.approx(np.mean(values))
    assert facts["deviation"] == pytest.approx(np.std(values), abs=1e-6)


def test_hdrhistogram_agrees_within_its_precision() -> None:
    """Three digits of HdrHistogram are the first three of ours."""
    rng = random.Random(7)  # noqa: S311 (a test's data)
    values = sorted(round(rng.expovariate(1) * 1e6) for _ in range(10_000))
    histogram = HdrHistogram(1, 3_600_000_000, 3)
    for value in values:
        histogram.record_value(value)

    for name in (*REPORTED, "100"):
        theirs = histogram.get_value_at_percentile(float(name))
        assert percentile(values, name) == pytest.approx(theirs, rel=1e-3)


@given(values=VALUES)
def test_the_curve_climbs_from_the_least_to_the_greatest(values: list[float]) -> None:
    """Each point is the percentile it says; the last is the greatest value, at 100 %."""
    ordered = sorted(values)
    points = list(curve(ordered))

    assert points[-1].value == ordered[-1]
    assert points[-1].count == len(values)
    assert points[-1].percent == 100
    assert points == sorted(points, key=lambda point: point.percent)
    assert all(point.value == percentile(ordered, point.percent) for point in points)


def test_the_curve_halves_the_rest() -> None:
    """Five steps each time what is left is halved, as HdrHistogram takes them."""
    percents = [point.percent for point in curve(range(10_000))]

    assert percents[:8] == [0, 10, 20, 30, 40, 50, 55, 60]
    assert [p for p in percents if p in {50, 75, Fraction("87.5")}] == [50, 75, Fraction("87.5")]


def test_few_values_do_not_carry_high_percentiles() -> None:
    """Each needs a value beyond it: p99.9 a thousand values."""
    facts = [describe(range(count)) for count in (1, 99, 100, 999, 1000)]

    assert [one["unsupported"] for one in facts if one] == [
        [f"p{name}" for name in REPORTED],
        ["p99", "p99.9"],
        ["p99.9"],
        ["p99.9"],
        [],
    ]


@given(values=VALUES, never=st.integers(0, 100))
def test_those_without_a_value_are_beyond_all(values: list[float], never: int) -> None:
    """As if they were infinite."""
    everyone = sorted([*values, *[math.inf] * never])
    facts = describe_all(values, never=never)

    assert (facts["count"], facts["never"]) == (len(everyone), never)
    for name in REPORTED:
        found = percentile(everyone, name)
        assert facts[f"p{name}"] == (None if found == math.inf else found)


def test_what_is_not_a_number_is_refused() -> None:
    """Sorted with NaN, every percentile would be anything."""
    with pytest.raises(ValueError, match="NaN"):
        describe([1.0, math.nan, 2.0])

    with pytest.raises(ValueError, match="NaN"):
        describe_all([math.nan], never=1)


def test_nothing_has_no_percentile() -> None:
    """No values: no distribution, no curve, and a clear error."""
    assert describe([]) is None
    assert describe_all([], never=0)["p50"] is None
    assert list(curve([])) == []
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize("percent", [Fraction(-1), Fraction("100.1")])
def test_out_of_range(percent: Fraction) -> None:
    """Only 0 to 100 are percentiles."""
    with pytest.raises(ValueError, match="not a percentile"):
        rank(10, percent)


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
