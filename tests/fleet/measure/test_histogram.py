"""Histograms are within 4.4 % of the samples, and add up."""

from __future__ import annotations

import json
import random

import pytest

from aiodps.fleet.measure.histogram import (
    Histogram,
    bucket_of,
    total_histogram,
    upper_bound,
)
from aiodps.fleet.measure.percentiles import percentile


def histogram(*durations: float) -> Histogram:
    """Make a histogram of durations."""
    return total_histogram(
        Histogram(buckets={bucket_of(each): 1}, total=each) for each in durations
    )


@pytest.mark.parametrize("seconds", [0.0002, 0.1, 0.25, 1.0, 3.7, 90.0])
def test_a_bucket_holds_its_durations(seconds: float) -> None:
    """Its upper bound is at most 4.4 % above each."""
    assert seconds <= upper_bound(bucket_of(seconds)) * (1 + 1e-12) <= seconds * 1.0443


def test_powers_of_two_are_exact() -> None:
    """They are the greatest durations of their buckets."""
    found = histogram(0.25, 0.2501, 0.5, 1.0, 7.0)

    assert [found.at_most(bound) for bound in (0.125, 0.25, 0.5, 1.0, 8.0)] == [0, 1, 3, 4, 5]
    assert found.count == 5
    assert found.total == pytest.approx(9.0001)


@pytest.mark.parametrize("percent", ["50", "90", "99", "100"])
def test_percentiles(percent: str) -> None:
    """As of the samples, and never lower."""
    rng = random.Random(1)  # noqa: S311
    durations = [rng.lognormvariate(-1, 0.5) for _ in range(500)]
    exact = percentile(sorted(durations), percent)

    assert exact <= (histogram(*durations).percentile(percent) or 0) <= exact * 1.0443


def test_nothing() -> None:
    """No durations have no percentile, and no time at all is a short one."""
    assert Histogram().percentile(50) is None
    assert histogram(0.0, -1.0).percentile(99) == pytest.approx(1e-4, rel=0.05)


def test_what_was_added() -> None:
    """A later state without an earlier one."""
    earlier, later = histogram(1.0, 2.0), histogram(1.0, 1.0, 2.0, 4.0)

    assert later.since(earlier) == histogram(1.0, 4.0)
    assert later.since(later) == Histogram()


def test_it_survives_json() -> None:
    """Whose keys are strings."""
    found = histogram(1.0, 1.0, 2.0)

    assert Histogram.from_json(json.loads(json.dumps(found.to_json()))) == found
