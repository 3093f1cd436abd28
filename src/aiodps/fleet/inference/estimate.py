"""`Estimate`: a figure with its uncertainty; and the interval of the ratio of two of them.

Welch's interval: the logarithm of the ratio, with the variances of both sides added, and
Student's t for as many degrees of freedom as Welch and Satterthwaite give it. The variance of a
side is that between its runs, or that of a block bootstrap within its only run.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from aiodps.fleet.inference.student_t import two_sided_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure of one side, with its uncertainty."""

    value: float
    variance: float
    """Square of the standard error."""
    freedom: float
    """Degrees of freedom of the variance."""

    @classmethod
    def of_runs(cls, figures: Sequence[float]) -> Self:
        """Return the mean of the figures of at least two runs."""
        return cls(
            value=statistics.fmean(figures),
            variance=statistics.variance(figures) / len(figures),
            freedom=len(figures) - 1,
        )


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether a value is outside."""
        return not self.low <= value <= self.high

    def relative_to(self, value: float) -> Interval:
        """Return the interval of a ratio from that of the difference to this value."""
        return Interval(max(0.0, 1 + self.low / value), max(0.0, 1 + self.high / value))


def ratio_interval(left: Estimate, right: Estimate, *, level: float) -> Interval:
    """Return the interval of right divided by left; both values must be greater than 0."""
    one, other = left.variance / left.value**2, right.variance / right.value**2
    middle = math.log(right.value / left.value)
    reach = _reach(one, other, left.freedom, right.freedom, level=level)
    return Interval(math.exp(middle - reach), math.exp(middle + reach))


def difference_interval(
    left: Estimate, right: Estimate, *, level: float, least_variance: float = 0.0
) -> Interval:
    """Return the interval of right minus left.

    Args:
        left: One side.
        right: The other side.
        level: The share of such intervals that hold the true difference.
        least_variance: Used where the variances of both sides add up to less.
    """
    middle = right.value - left.value
    reach = _reach(left.variance, right.variance, left.freedom, right.freedom, level=level)
    t = two_sided_quantile(level, left.freedom + right.freedom)
    reach = max(reach, t * math.sqrt(least_variance))
    return Interval(middle - reach, middle + reach)


def _reach(
    one: float, other: float, one_freedom: float, other_freedom: float, *, level: float
) -> float:
    """Return the distance from the middle of Welch's interval to its ends."""
    both = one + other
    if not both:
        return 0.0

    freedom = both**2 / (one**2 / one_freedom + other**2 / other_freedom)
    return two_sided_quantile(level, freedom) * math.sqrt(both)
