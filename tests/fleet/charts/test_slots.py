"""Slots carry enough devices, a steady rate is level, and pauses are no slots."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fleet.samples import sample

from aiodps.fleet.charts.slots import (
    LEAST_SLOTS,
    MOST_SLOTS,
    edges_of,
    rates,
    slot_count,
    slot_width,
    slots_of,
)


@pytest.mark.parametrize(
    ("duration", "devices", "width"),
    [
        (43, 200, 3.0),
        (85, 5000, 2.0),
        (3600, 60_000, 30.0),
        (86_400, 60_000, 600.0),
        (0, 1, 0.001),
    ],
)
def test_widths(duration: float, devices: int, width: float) -> None:
    """They follow from duration and number of devices, and can be said."""
    assert slot_width(duration, devices) == width


def test_more_devices_have_more_slots_and_fuller_ones() -> None:
    """Between a least and a most."""
    counts = [10, 1000, 10_000, 10**6]
    slots = [slot_count(count) for count in counts]

    assert (slots[0], slots[-1]) == (LEAST_SLOTS, MOST_SLOTS)
    assert slots == sorted(slots)
    assert all(a / b < c / d for (a, b), (c, d) in pairwise(zip(counts, slots, strict=True)))


@pytest.mark.parametrize("rate", [3.0, 7.3, 10.0, 61.0])
def test_a_steady_rate_is_no_saw(rate: float) -> None:
    """Whatever the width of a slot is: what an edge cuts counts to both sides in parts."""
    found = rates((n / rate for n in range(int(rate * 20))), [0.0, 2.0, 4.0, 6.0, 8.0], most=2)

    assert found == [pytest.approx(rate)] * 4


def test_nothing_is_a_zero() -> None:
    """A time in which nothing ended has a rate of 0, and an event counts at most a slot."""
    assert rates([0.5, 9.5], [0, 1, 2, 8, 9, 10], most=1) == [0.5, 0, 0, 0.5, 0.5]
    assert rates([0.5], [0, 1, 2], most=1) == [1, 0]
    assert rates([], [0, 1], most=1) == [0]


TIMES = st.lists(st.floats(0, 10), max_size=30)


@given(times=TIMES)
def test_law_no_event_is_counted_twice(times: list[float]) -> None:
    """Some of the first one lies before the start; none is counted more than once."""
    total = sum(rates(times, [0, 2.5, 5, 7.5, 10], most=2.5)) * 2.5

    assert len(times) - 1 - 1e-6 <= total <= len(times) + 1e-6 or not times


def test_edges() -> None:
    """The last slot is half as wide as the others at least, and none reaches into a pause."""
    assert edges_of([(0.0, 4.9)], 2.0) == [0.0, 2.0, 4.9]
    assert edges_of([(0.0, 3.2)], 2.0) == [0.0, 2.0, 3.2]
    assert edges_of([(0.0, 0.1)], 2.0) == [0.0, 0.1]
    assert edges_of([(0.0, 4.0), (9.0, 13.0)], 2.0) == [0.0, 2.0, 4.0, 9.0, 11.0, 13.0]


def test_a_pause_is_no_slot() -> None:
    """Nobody ran: that is not a rate of 0."""
    samples = [sample(intended=at, started=at, finished=at + 1) for at in (0.0, 1.0, 20.0, 21.0)]
    slots = slots_of(samples, [(0.0, 2.0), (20.0, 22.0)], width=1.0)

    assert [(slot.begin, slot.end) for slot in slots] == [(0, 1), (1, 2), (20, 21), (21, 22)]
    assert [slot.p50 for slot in slots] == [None, 1.0, None, 1.0]
    assert max(slot.in_flight for slot in slots) == 1
