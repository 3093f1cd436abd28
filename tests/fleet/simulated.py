"""Runs whose latencies are drawn, alike among neighbours as those of a real service are."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample

from aiodps.fleet.report.compare import Run
from aiodps.fleet.report.summary import summarize


def correlated(seed: int, count: int, *, alike: float = 0.9) -> Iterator[float]:
    """Yield standard normal values, each correlated with the last by `alike`: an AR(1) series."""
    rng = random.Random(seed)  # noqa: S311
    value = rng.gauss(0, 1)
    for _ in range(count):
        yield value
        value = alike * value + math.sqrt(1 - alike**2) * rng.gauss(0, 1)


def simulated_run(
    seed: int, *, devices: int = 2000, rate: float = 50.0, slower: float = 1.0, alike: float = 0.9
) -> Run:
    """Simulate a run: latencies of about 0.2 s, times `slower`, that vary by a third."""
    samples = [
        sample(
            intended=index / rate,
            started=index / rate,
            finished=index / rate + slower * 0.2 * math.exp(0.3 * value),
            phases={},
        )
        for index, value in enumerate(correlated(seed, devices, alike=alike))
    ]
    return Run(name=f"run-{seed}", summary=summarize(samples, FACTS), samples=samples)
