"""Student's t distribution: its two-sided quantile, for any degrees of freedom."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

_STEPS: Final = 100
"""Intervals of Simpson's rule; the integrand is smooth, so the error is far below 1e-6."""
_HALVINGS: Final = 40
_NEARLY_NORMAL: Final = 1000.0
"""Degrees of freedom beyond which the quantile changes by less than 0.2 %."""


@lru_cache(maxsize=256)
def two_sided_quantile(level: float, freedom: float) -> float:
    """Return the t for which a share `level` of the distribution lies between -t and t.

    Args:
        level: Between 0 and 1.
        freedom: Degrees of freedom, at least 1; fractions occur in Welch's test.
    """
    freedom = min(freedom, _NEARLY_NORMAL)
    # With t = sqrt(freedom) * tan(angle) the density becomes cos(angle) ** (freedom - 1).
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    scale *= 2 / math.sqrt(math.pi)
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if scale * _integral(middle, freedom - 1) < level:
            low = middle
        else:
            high = middle

    return math.sqrt(freedom) * math.tan(low)


def _integral(angle: float, power: float) -> float:
    """Integrate cos(x) ** power from 0 to an angle, by Simpson's rule."""
    step = angle / _STEPS
    values = [math.pow(math.cos(index * step), power) for index in range(_STEPS + 1)]
    ends, odd, even = values[0] + values[-1], sum(values[1::2]), sum(values[2:-1:2])
    return (ends + 4 * odd + 2 * even) * step / 3
