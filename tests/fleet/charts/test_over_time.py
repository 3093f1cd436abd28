"""Lines over time are steps; where there is nothing, they are interrupted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from tests.fleet.charts.test_lines import series_of
from tests.fleet.samples import sample

from aiodps.fleet.charts.over_time import pauses_of, timeline_lines
from aiodps.fleet.charts.series import Series
from aiodps.fleet.measure.sample import Outcome


@pytest.fixture
def series() -> Series:
    """Return a series of two devices, one of which failed."""
    return series_of([sample(), sample(intended=0.5, finished=3.0, outcome=Outcome.FAILED)])


def test_lines_over_time(series: Series) -> None:
    """Arrivals are dotted, failures red, what is in flight filled."""
    lines = timeline_lines([series])
    arrivals, assigned, failed = lines["throughput"]

    assert (arrivals.dash, assigned.dash) == ("dotted", "solid")
    assert failed.colour != series.colour
    assert assigned.text[:2] == ["rest 0 to 1 s: 0/s assigned"] * 2
    assert [line.filled for line in lines["flight"]] == [True]


def test_empty_is_not_zero(series: Series) -> None:
    """No device was assigned in two slots: no latency there, and a rate of 0."""
    lines = timeline_lines([series])
    p50, _ = lines["latency"]
    assigned = lines["throughput"][1]

    assert [math.isnan(y) for y in p50.y] == [True, False, False, True, True]
    assert assigned.y == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert p50.x[1:3] == [1.0, 2.0]


def test_a_pause_interrupts_every_line(series: Series) -> None:
    """Nobody ran: neither a value nor a line across, and the area is empty."""
    slots = [replace(slot, begin=slot.begin + 9 * (at > 1), end=slot.end + 9 * (at > 1))
             for at, slot in enumerate(series.slots)]  # fmt: skip
    paused = replace(series, slots=slots)
    [flight] = timeline_lines([paused])["flight"]
    area = flight.data["area"]

    assert pauses_of([paused]) == [(2.0, 11.0)]
    assert pauses_of([series]) == []
    assert [x for x, y in zip(flight.x, flight.y, strict=True) if math.isnan(y)] == [2.0, 11.0]
    assert [at for at, y in enumerate(flight.y) if math.isnan(y)] == [
        at for at, height in enumerate(area) if height == 0
    ]
