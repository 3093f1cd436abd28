"""A run that goes on is remembered, as much of it as a chart can show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fleet.live.runs import going_on, recorded

from aiodps.fleet.live.recorder import Recorder
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.measure.transport_progress import TransportProgress


def test_a_timeline() -> None:
    """Rates are differences, what is in flight is the most, percentiles are of their second."""
    slots = going_on().slots("rest")
    first = slots[0]

    assert [slot.begin for slot in slots] == [0.0, 1.0, 2.0, 3.0]
    assert (first.arrivals, first.assigned, first.failed, first.in_flight) == (2.0, 1.0, 0.0, 1)
    assert (first.p50, first.p99) == (1.0, 1.0)
    assert slots[-1].failed == 1.0


def test_the_latest() -> None:
    """It is known at once, though the timeline has a state a second."""
    recorder = recorded([(5.0, Progress(total=1)), (5.25, Progress(total=2))])

    assert (recorder.progress.total, recorder.seconds) == (2, 0.25)
    assert recorder.slots("rest") == []


def test_a_transport_that_starts_late() -> None:
    """Before, it has started nothing."""
    later = Progress(transports={"mqtt": TransportProgress(started=8)})
    recorder = recorded([(0.0, Progress()), (2.0, later)])

    assert recorder.transports() == ["mqtt"]
    assert [slot.arrivals for slot in recorder.slots("mqtt")] == [4.0]


def test_a_long_run_is_thinned() -> None:
    """Two hours are as many points as four minutes, and no device is lost in between."""
    states = [
        (float(second), Progress(transports={"rest": TransportProgress(started=2 * second)}))
        for second in range(7200)
    ]
    slots = recorded(states).slots("rest")

    assert 110 <= len(slots) <= 240
    assert {slot.arrivals for slot in slots} == {2.0}


def test_nothing_yet() -> None:
    """A run that has not begun has no transports."""
    recorder = Recorder()

    assert (recorder.transports(), recorder.progress, recorder.seconds) == ([], Progress(), 0.0)


@pytest.mark.parametrize("again", [1, 2])
def test_what_is_told_is_not_changed(again: int) -> None:
    """The same progress twice is no change."""
    progress = Progress(transports={"rest": TransportProgress(started=3)})
    recorder = recorded([(float(at), replace(progress)) for at in range(again + 1)])

    assert {slot.arrivals for slot in recorder.slots("rest")} == {0.0}
