"""The progress of a run as OpenMetrics text, for Prometheus.

No label has a registration id: each value of a label is a time series of its own in a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition
from prometheus_client.registry import Collector

from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.measure.transport_progress import REQUESTS, TransportProgress

CONTENT_TYPE: Final = exposition.CONTENT_TYPE_LATEST
BUCKETS: Final = tuple(2.0**power for power in range(-6, 8))
"""Upper bounds of the histogram in seconds, from 16 ms to 128 s: powers of two, at which the
counts are exact."""

_PREFIX: Final = "aiodps_fleet"
_Values = Callable[[TransportProgress], Iterator[tuple[str, float]]]
"""Values of one transport, by the value of the other label."""


def openmetrics(progress: Progress) -> str:
    """Return the progress as text."""
    text: bytes = exposition.generate_latest(_Families(progress))  # type: ignore[no-untyped-call]
    return text.decode()


@dataclass(frozen=True, slots=True)
class _Families(Collector):
    """The metrics of a run."""

    progress: Progress

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its samples."""
        progress = self.progress
        yield GaugeMetricFamily(
            f"{_PREFIX}_registrations_planned",
            "All registrations of the run.",
            value=progress.total,
        )
        yield GaugeMetricFamily(
            f"{_PREFIX}_loop_lag_seconds",
            "By how much the event loop of the load generator was late at most, in the last "
            "second.",
            value=progress.loop_lag,
            unit="seconds",
        )
        errors = CounterMetricFamily(
            f"{_PREFIX}_errors", "Failed registrations by error.", labels=["error"]
        )
        for error, count in sorted(progress.errors.items()):
            errors.add_metric([error], count)

        yield errors
        yield self._in_flight()
        yield self._latencies()
        for name, text, label, unit, values in _COUNTERS:
            yield self._counter(name, text, label, unit, values)

    def _transports(self) -> list[tuple[str, TransportProgress]]:
        return sorted(self.progress.transports.items())

    def _in_flight(self) -> Metric:
        family = GaugeMetricFamily(
            f"{_PREFIX}_in_flight",
            "Registrations that have started and not ended.",
            labels=["transport"],
        )
        for transport, each in self._transports():
            family.add_metric([transport], each.in_flight)

        return family

    def _latencies(self) -> Metric:
        family = HistogramMetricFamily(
            f"{_PREFIX}_latency_seconds",
            "Time from the intended start to the assignment.",
            labels=["transport"],
            unit="seconds",
        )
        for transport, each in self._transports():
            latencies = each.latencies
            below = [(str(bound), float(latencies.at_most(bound))) for bound in BUCKETS]
            everything = ("+Inf", float(latencies.count))
            family.add_metric([transport], [*below, everything], latencies.total)

        return family

    def _counter(self, name: str, text: str, label: str, unit: str, values: _Values) -> Metric:
        labels = ["transport", label] if label else ["transport"]
        family = CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=labels, unit=unit)
        for transport, each in self._transports():
            for value, count in values(each):
                family.add_metric([transport, value] if label else [transport], count)

        return family


def _started(progress: TransportProgress) -> Iterator[tuple[str, float]]:
    yield "", progress.started


def _outcomes(progress: TransportProgress) -> Iterator[tuple[str, float]]:
    for outcome in Outcome:
        yield outcome, progress.outcomes.get(outcome, 0)


def _requests(progress: TransportProgress) -> Iterator[tuple[str, float]]:
    for kind in REQUESTS:
        yield kind, progress.requests.get(kind, 0)


def _phases(progress: TransportProgress) -> Iterator[tuple[str, float]]:
    for phase, seconds in sorted(progress.seconds.items()):
        yield phase, max(seconds, 0.0)


_COUNTERS: Final[tuple[tuple[str, str, str, str, _Values], ...]] = (
    ("started", "Registrations that have started.", "", "", _started),
    ("registrations", "Registrations that have ended, by outcome.", "outcome", "", _outcomes),
    ("requests", "Requests of registrations that have ended.", "kind", "", _requests),
    (
        "phase_seconds",
        "The parts of the latencies of all assigned devices.",
        "phase",
        "seconds",
        _phases,
    ),
)
"""Name, text, second label, unit and values of each counter by transport."""
