"""Lag is measured as an event at any moment would meet it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from aiodps.fleet.measure.loop_lag import TICK, LoopLag


def lag(runs_again: Callable[[float], float], *, until: float, tick: float = TICK) -> LoopLag:
    """Measure a loop; `runs_again` tells when it runs next, at that moment or later."""
    lag = LoopLag(begin=0.0, tick=tick)
    while lag.due < until:
        lag.wake(runs_again(lag.due))

    return lag


def stopped(stop: float, period: float) -> Callable[[float], float]:
    """Stop a loop at the end of each period."""

    def runs_again(now: float) -> float:
        cycle = math.floor(now / period)
        return now if now < (cycle + 1) * period - stop else (cycle + 1) * period

    return runs_again


def test_missed_ticks_are_filled_in() -> None:
    """A stop of 2 s on a grid of 0.1 s is twenty ticks: 2.0, 1.9, and so on."""
    values = lag(lambda now: max(now, 12.0) if now > 10 else now, until=20, tick=0.1).values
    late = sorted(value for value in values if value)

    assert len(late) == pytest.approx(20, abs=2)
    assert sum(late) == pytest.approx(2.0**2 / 2 / 0.1, rel=0.1)
    assert late[-1] == pytest.approx(2.0, abs=0.15)
    assert late[0] == pytest.approx(0.0, abs=0.15)


@pytest.mark.parametrize(("stop", "period"), [(0.06, 0.1), (0.09, 0.12), (0.01, 0.02), (1, 10)])
@pytest.mark.parametrize("tick", [0.02, 0.1])
def test_ticks_do_not_fall_into_step(stop: float, period: float, tick: float) -> None:
    """Whatever the period of the stops, the mean is that of all moments."""
    values = lag(stopped(stop, period), until=600, tick=tick).values

    assert sum(values) / len(values) == pytest.approx(stop**2 / (2 * period), rel=0.1)


def test_a_loop_in_time_is_never_late() -> None:
    """Fifty ticks a second."""
    values = lag(lambda now: now, until=60).values

    assert len(values) == pytest.approx(60 / TICK, rel=0.02)
    assert set(values) == {0.0}
