"""`Recorder`: remembers the progress of a run over time, as much of it as a chart can show."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiodps.fleet.charts.slots import slot_count
from aiodps.fleet.export.timeline import Slot
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.measure.transport_progress import TransportProgress

_INTERVAL: Final = 1.0
"""Seconds between two states, at first."""
_MOST_STATES: Final = 240
"""Beyond, every other one is dropped, and the interval is doubled."""
_NOTHING: Final = TransportProgress()


@dataclass(frozen=True, slots=True)
class _State:
    at: float
    """Seconds since the first progress."""
    progress: Progress


class Recorder:
    """Remembers the progress of a run; called with it by the run, and read by other threads."""

    emulator_page: str | None = None
    """Address of the page of the run's emulator; None if there is none, or not yet."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began: float | None = None
        self._interval = _INTERVAL
        self._states: list[_State] = []
        self._latest = _State(0.0, Progress())

    def __call__(self, progress: Progress) -> None:
        """Remember the progress of the run."""
        with self._lock:
            now = self._clock()
            self._began = now if self._began is None else self._began
            self._latest = state = _State(now - self._began, progress)
            if not self._states or state.at - self._states[-1].at >= self._interval:
                self._states.append(state)

            if len(self._states) > _MOST_STATES:
                self._states = self._states[::2]
                self._interval *= 2

    @property
    def progress(self) -> Progress:
        """The latest progress."""
        return self._latest.progress

    @property
    def seconds(self) -> float:
        """Seconds from the first progress to the latest."""
        return self._latest.at

    def transports(self) -> list[str]:
        """Return the names of the transports that devices have started on."""
        return sorted(self._latest.progress.transports, reverse=True)

    def slots(self, transport: str) -> list[Slot]:
        """Return the timeline of a transport."""
        with self._lock:
            states = self._states.copy()

        started = self._latest.progress.transports.get(transport, _NOTHING).started
        states = states[:: _states_a_slot(len(states) - 1, started)]
        return [_slot(before, after, transport) for before, after in itertools.pairwise(states)]


def _states_a_slot(intervals: int, devices: int) -> int:
    """Return how many intervals are a slot, so that it carries enough devices, as in a report."""
    return max(round(intervals / slot_count(devices)), 1)


def _slot(before: _State, after: _State, transport: str) -> Slot:
    """Return what happened between two states. Percentiles are those of a histogram."""
    then, now = (each.progress.transports.get(transport, _NOTHING) for each in (before, after))
    seconds = after.at - before.at
    latencies = now.latencies.since(then.latencies)

    def rate(outcome: str) -> float:
        return (now.outcomes.get(outcome, 0) - then.outcomes.get(outcome, 0)) / seconds

    return Slot(
        begin=round(before.at, 1),
        end=round(after.at, 1),
        arrivals=(now.started - then.started) / seconds,
        assigned=rate("assigned"),
        failed=rate("failed"),
        in_flight=max(then.in_flight, now.in_flight),
        p50=latencies.percentile(50),
        p99=latencies.percentile(99),
    )
