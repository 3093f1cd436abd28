"""Intervals of ratios and differences."""

from __future__ import annotations

import math
import random

import pytest

from aiodps.fleet.inference.estimate import (
    Estimate,
    Interval,
    difference_interval,
    ratio_interval,
)


def exact(value: float) -> Estimate:
    """Return a figure that does not vary."""
    return Estimate(value=value, variance=0.0, freedom=9)


def test_of_runs() -> None:
    """The mean, and the variance of the mean."""
    estimate = Estimate.of_runs([1.0, 2.0, 3.0])

    assert (estimate.value, estimate.freedom) == (2.0, 2)
    assert estimate.variance == pytest.approx(1 / 3)


def test_welchs_example() -> None:
    """Unequal variances: as the textbook's formula has it."""
    left, right = Estimate.of_runs([27.5, 21.0, 19.0, 23.6]), Estimate.of_runs([27.1, 22.0, 20.8])
    interval = difference_interval(left, right, level=0.95)
    one, other = left.variance, right.variance
    freedom = (one + other) ** 2 / (one**2 / 3 + other**2 / 2)

    assert freedom == pytest.approx(4.692, abs=0.001)
    assert (interval.low + interval.high) / 2 == pytest.approx(right.value - left.value)
    assert interval.high - interval.low == pytest.approx(2 * 2.624 * math.sqrt(one + other), 1e-3)


def test_what_does_not_vary() -> None:
    """An interval of nothing: the same is the same, and anything else is not."""
    assert ratio_interval(exact(2.0), exact(2.0), level=0.99) == Interval(1.0, 1.0)
    assert ratio_interval(exact(2.0), exact(2.1), level=0.99).excludes(1.0)
    assert not difference_interval(exact(0.0), exact(0.0), level=0.99).excludes(0.0)


def test_a_least_variance() -> None:
    """Where both sides show none: 1 more event of 1000 is not told, 30 are."""
    few = difference_interval(exact(0.0), exact(1e-3), level=0.99, least_variance=1e-6)
    many = difference_interval(exact(0.0), exact(3e-2), level=0.99, least_variance=3e-5)

    assert not few.excludes(0.0)
    assert many.excludes(0.0)


def test_relative() -> None:
    """A difference of -1 to 2 from 4 is a ratio of 0.75 to 1.5, and none is below 0."""
    assert Interval(-1.0, 2.0).relative_to(4.0) == Interval(0.75, 1.5)
    assert Interval(-9.0, 2.0).relative_to(4.0).low == 0.0


def test_the_interval_holds_the_truth() -> None:
    """As often as its level says: 95 of 100, whatever the variances."""
    rng = random.Random(5)  # noqa: S311
    held = 0
    for _ in range(200):
        left = Estimate.of_runs([rng.gauss(10, 0.2) for _ in range(4)])
        right = Estimate.of_runs([rng.gauss(12, 0.8) for _ in range(7)])
        held += not ratio_interval(left, right, level=0.95).excludes(1.2)

    assert 0.92 * 200 <= held <= 0.98 * 200
