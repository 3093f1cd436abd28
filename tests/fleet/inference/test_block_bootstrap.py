"""How much a figure of a run varies by itself, against what is known of drawn series."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from tests.fleet.simulated import correlated

from aiodps.fleet.inference.block_bootstrap import (
    LEAST_BLOCKS,
    MOST_BLOCKS,
    BlockBootstrap,
    Timed,
    autocorrelation_time,
)

pytestmark = pytest.mark.slow


def series(seed: int, count: int = 3000, *, alike: float = 0.9, rate: float = 50) -> list[Timed]:
    """Draw a series of standard normal values."""
    return [(index / rate, y) for index, y in enumerate(correlated(seed, count, alike=alike))]


def blocks(values: list[Timed], *, seed: int = 1) -> BlockBootstrap:
    """Choose blocks, of which there must be enough."""
    found = BlockBootstrap.over(values, seed=seed)
    assert found is not None
    return found


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.9])
def test_the_autocorrelation_time(alike: float) -> None:
    """Of an AR(1) series it is (1 + rho) / (1 - rho)."""
    times = [autocorrelation_time(list(correlated(s, 8000, alike=alike))) for s in range(12)]

    assert statistics.fmean(times) == pytest.approx((1 + alike) / (1 - alike), rel=0.1)


def test_long_series_are_grouped() -> None:
    """And the time is still in values; a series that does not vary is independent."""
    times = [autocorrelation_time(list(correlated(seed, 20_000))) for seed in range(6)]

    assert statistics.fmean(times) == pytest.approx(19, rel=0.1)
    assert autocorrelation_time([1.0] * 30) == 1.0


def test_the_variance_of_a_mean_is_that_of_the_process() -> None:
    """The variance of the mean of n values is 19/n at rho 0.9; over devices it would be 1/n."""
    found = []
    for seed in range(20):
        values = series(seed)
        found.append(blocks(values).variance_of_mean(values))

    assert statistics.fmean(found) == pytest.approx(19 / 3000, rel=0.15)


def test_the_variance_of_a_median_is_that_of_the_process() -> None:
    """Values are on the same side of it as often as the arc sine of their correlation says."""
    alike = sum(2 / math.pi * math.asin(0.9**lag) for lag in range(1, 200))
    found = []
    for seed in range(10):
        values = series(seed)
        found.append(blocks(values).variance_of_percentile(values, "50"))

    assert statistics.fmean(found) == pytest.approx(math.pi / 2 * (1 + 2 * alike) / 3000, rel=0.2)


def test_the_variance_of_a_rate() -> None:
    """Of 50 independent events per second over 60 s: 50 / 60."""
    rng = random.Random(3)  # noqa: S311
    found = []
    for _ in range(20):
        times = sorted(rng.uniform(0, 60) for _ in range(3000))
        values = [(time, rng.random()) for time in times]
        found.append(blocks(values).variance_of_rate(times))

    assert statistics.fmean(found) == pytest.approx(50 / 60, rel=0.25)


def test_the_length_of_blocks() -> None:
    """At least a second; long against what is alike; never more blocks than are of use."""
    assert blocks(series(1, 1000, alike=0.0)).freedom + 1 == 19
    assert blocks(series(1, 6000, alike=0.0)).freedom + 1 == MOST_BLOCKS
    alike = blocks(series(1, 3000, rate=50))
    assert LEAST_BLOCKS <= alike.freedom + 1 < MOST_BLOCKS


def test_too_short() -> None:
    """Nine seconds, one moment, nothing, or latencies that are alike all along."""
    assert BlockBootstrap.over(series(1, 450, alike=0.0), seed=1) is None
    assert BlockBootstrap.over([(0.0, 1.0)] * 50, seed=1) is None
    assert BlockBootstrap.over([], seed=1) is None
    assert BlockBootstrap.over([(float(t), float(t)) for t in range(100)], seed=1) is None


def test_the_seed_decides() -> None:
    """The same draws each time; every replicate is as long as the run."""
    values = series(1)

    assert blocks(values) == blocks(values)
    assert blocks(values) != blocks(values, seed=2)
    for weights in blocks(values).weights:
        assert sum(weights) == len(weights)


def test_a_run_that_does_not_vary() -> None:
    """Its figures do not either."""
    values = [(index / 10, 3.0) for index in range(300)]
    found = blocks(values)

    assert found.variance_of_percentile(values, "99") == 0
    assert math.isclose(found.variance_of_mean(values), 0, abs_tol=1e-20)
