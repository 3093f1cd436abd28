"""A moving block bootstrap over time: how much a figure of one run varies by itself.

Devices that start one after the other are treated alike: they meet the same queue, the same
stall. A bootstrap over devices takes them for independent, and finds differences between two
runs of the same thing. So whole blocks of time are drawn, long against the time over which
latencies are alike; blocks overlap, and the last is followed by the first (Kuensch 1989; Politis
and Romano 1992).
"""

from __future__ import annotations

import math
import random
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Final, Self

from aiodps.fleet.measure.percentiles import rank

REPLICATES: Final = 100
"""Enough for a standard error, which is all that the interval needs: its own error of 7 % is small
against that of few blocks. Tails of the replicates would take thousands."""
LEAST_BLOCKS: Final = 10
"""Fewer are not enough to estimate how much blocks vary."""
MOST_BLOCKS: Final = 40
"""More would cost time and gain nothing: t with 39 degrees of freedom is nearly normal."""
LEAST_BLOCK: Final = 1.0
"""Seconds."""
BLOCK_PER_CORRELATION: Final = 5
"""Least length of a block in autocorrelation times. The variance is then too small by a tenth at
most, which is corrected."""
_PARTS: Final = 2
"""Places in a block's length where a block may begin."""
_GROUPS: Final = 2000
"""Most values from which the autocorrelation time is estimated."""
_WINDOW: Final = 5
"""Sokal's window: lags up to so many autocorrelation times are summed."""

Timed = tuple[float, float]
"""Seconds since the start of the run, and a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockBootstrap:
    """Replicates of one run, each made of blocks of its time drawn with replacement."""

    begin: float
    width: float
    """Seconds of a slot; a block has `_PARTS` of them."""
    slots: int
    weights: tuple[tuple[int, ...], ...]
    """For each replicate, how often it holds each slot."""
    correction: float
    """Factor of each variance, because values at the seams of blocks are not alike."""

    @classmethod
    def over(cls, latencies: Sequence[Timed], *, seed: int) -> Self | None:
        """Choose blocks for a run from its latencies, by intended start.

        Returns:
            None if the run is too short for `LEAST_BLOCKS`.
        """
        ordered = sorted(latencies)
        span = ordered[-1][0] - ordered[0][0] if ordered else 0.0
        if not span:
            return None

        correlation = span / len(ordered) * autocorrelation_time([value for _, value in ordered])
        block = max(LEAST_BLOCK, BLOCK_PER_CORRELATION * correlation, span / MOST_BLOCKS)
        blocks = math.floor(span / block + 1e-9)
        if blocks < LEAST_BLOCKS:
            return None

        slots = blocks * _PARTS
        rng = random.Random(seed)  # noqa: S311 (statistics)
        weights = tuple(_draw(rng, blocks) for _ in range(REPLICATES))
        return cls(
            begin=ordered[0][0],
            width=span / slots,
            slots=slots,
            weights=weights,
            correction=_correction(blocks, correlation * blocks / span),
        )

    @property
    def freedom(self) -> int:
        """Degrees of freedom of a variance: one less than there are blocks."""
        return self.slots // _PARTS - 1

    def variance_of_percentile(self, values: Iterable[Timed], percent: str) -> float:
        """Return the variance of a percentile of values."""
        by_slot = [sorted(each) for each in self._by_slot(values)]
        ordered = sorted(value for each in by_slot for value in each)
        counts = [len(each) for each in by_slot]
        columns: dict[int, list[int]] = {}

        def at_most(index: int, weights: Sequence[int]) -> int:
            if index not in columns:
                columns[index] = [bisect_right(each, ordered[index]) for each in by_slot]

            return sum(map(mul, weights, columns[index]))

        def replicate(weights: Sequence[int]) -> float:
            wanted = max(rank(sum(map(mul, weights, counts)), Fraction(percent)), 1)
            low, high = 0, len(ordered) - 1
            while low < high:
                middle = (low + high) // 2
                low, high = (
                    (low, middle) if at_most(middle, weights) >= wanted else (middle + 1, high)
                )

            return ordered[low]

        return self._variance(replicate(weights) for weights in self.weights)

    def variance_of_mean(self, values: Iterable[Timed]) -> float:
        """Return the variance of the mean of values."""
        by_slot = self._by_slot(values)
        sums, counts = [sum(each) for each in by_slot], [len(each) for each in by_slot]
        return self._variance(
            sum(map(mul, weights, sums)) / number
            for weights in self.weights
            if (number := sum(map(mul, weights, counts)))
        )

    def variance_of_rate(self, times: Iterable[float]) -> float:
        """Return the variance of the number of events per second."""
        counts = [len(each) for each in self._by_slot((time, 0.0) for time in times)]
        seconds = self.width * self.slots
        return self._variance(sum(map(mul, weights, counts)) / seconds for weights in self.weights)

    def _by_slot(self, values: Iterable[Timed]) -> list[list[float]]:
        found: list[list[float]] = [[] for _ in range(self.slots)]
        for time, value in values:
            slot = int((time - self.begin) / self.width)
            found[min(max(slot, 0), self.slots - 1)].append(value)

        return found

    def _variance(self, replicates: Iterable[float]) -> float:
        return statistics.pvariance(list(replicates)) * self.correction


def _correction(blocks: int, correlation: float) -> float:
    """Return the factor by which a variance over blocks is too small.

    Args:
        blocks: How many there are.
        correlation: The autocorrelation time, in blocks. Pairs of values that a seam separates
            are half of it for latencies whose correlation falls off exponentially.
    """
    return blocks / (blocks - 1) / (1 - min(correlation, 1 / BLOCK_PER_CORRELATION) / 2)


def _draw(rng: random.Random, blocks: int) -> tuple[int, ...]:
    """Draw as many blocks as there are, and count how often each slot is in one."""
    slots = blocks * _PARTS
    weights = [0] * slots
    for _ in range(blocks):
        first = rng.randrange(slots)
        for slot in range(first, first + _PARTS):
            weights[slot % slots] += 1

    return tuple(weights)


def autocorrelation_time(values: Sequence[float]) -> float:
    """Return how many values of a series are worth one independent value; at least 1.

    The integrated autocorrelation time, 1 + 2 * sum of the autocorrelations, with Sokal's window.
    Long series are taken as means of groups, which vary as their sums do.
    """
    size = math.ceil(len(values) / _GROUPS)
    groups = [statistics.fmean(values[at : at + size]) for at in range(0, len(values), size)]
    mean = statistics.fmean(groups)
    centred = [value - mean for value in groups]
    power = math.fsum(map(mul, centred, centred))
    if power <= 0:
        return 1.0

    total = 1.0
    for lag in range(1, len(centred)):
        total += 2 * math.fsum(map(mul, centred, centred[lag:])) / power
        if lag >= _WINDOW * total:
            break

    within = statistics.pvariance(values, mean)
    return max(1.0, total * size * power / len(groups) / within)
