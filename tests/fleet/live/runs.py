"""Runs that go on, for tests of what is shown of them."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fleet.samples import sample

from aiodps.fleet.live.recorder import Recorder
from aiodps.fleet.measure.progress import Progress, ProgressCounter
from aiodps.fleet.measure.sample import Outcome


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def recorded(states: Iterable[tuple[float, Progress]]) -> Recorder:
    """Return a recorder that was told of progress at these times."""
    clock = Clock()
    recorder = Recorder(clock=clock)
    for clock.now, progress in states:
        recorder(progress)

    return recorder


def going_on(*, seconds: int = 4, error: str = "ThrottledError") -> Recorder:
    """Return a recorder of a run with both transports: two start a second, one of ten fails."""
    counter = ProgressCounter(total=100)
    states = []
    for second in range(seconds):
        states.append((float(second), counter.progress()))
        for transport in ("rest", "mqtt"):
            counter.begin(transport)
            counter.begin(transport)
            counter.leave(transport)
            counter.end(sample(transport=transport))

    counter.leave("rest")
    counter.end(sample(outcome=Outcome.FAILED, error_class=error))
    return recorded([*states, (float(seconds), counter.progress())])
