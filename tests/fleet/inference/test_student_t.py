"""Quantiles of Student's t are those of the tables."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from aiodps.fleet.inference.student_t import two_sided_quantile


@pytest.mark.parametrize(
    ("level", "freedom", "quantile"),
    [
        (0.95, 1, 12.706),
        (0.95, 2, 4.303),
        (0.95, 9, 2.262),
        (0.95, 18, 2.101),
        (0.99, 5, 4.032),
        (0.998, 30, 3.385),
    ],
)
def test_the_tables(level: float, freedom: float, quantile: float) -> None:
    """To the digits that are printed."""
    assert two_sided_quantile(level, freedom) == pytest.approx(quantile, abs=0.0005)


def test_many_degrees_are_normal() -> None:
    """In the limit."""
    assert two_sided_quantile(0.95, 1e9) == pytest.approx(NormalDist().inv_cdf(0.975), rel=2e-3)


def test_one_degree_is_cauchys() -> None:
    """Whose quantile is a tangent."""
    assert two_sided_quantile(0.8, 1) == pytest.approx(math.tan(0.8 * math.pi / 2))
