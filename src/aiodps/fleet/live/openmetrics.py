"""The progress of a run as OpenMetrics text, for Prometheus.

Format: https://prometheus.io/docs/specs/om/open_metrics_spec/. No label has a registration id:
each value of a label is a time series of its own in a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from aiodps.fleet.measure.histogram import Histogram
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.measure.transport_progress import REQUESTS, TransportProgress

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BUCKETS: Final = tuple(2.0**power for power in range(-6, 8))
"""Upper bounds of the histogram in seconds, from 16 ms to 128 s: powers of two, at which the
counts are exact."""

_PREFIX: Final = "aiodps_fleet"


def openmetrics(progress: Progress) -> str:
    """Return the progress as text."""
    lines = [*_run(progress), *_transports(progress.transports), "# EOF"]
    return "\n".join(lines) + "\n"


def _run(progress: Progress) -> Iterator[str]:
    yield from _head("registrations_planned", "gauge", "All registrations of the run.")
    yield _line("registrations_planned", {}, progress.total)
    yield from _head(
        "loop_lag_seconds",
        "gauge",
        "By how much the event loop of the load generator was late at most, in the last second.",
        unit="seconds",
    )
    yield _line("loop_lag_seconds", {}, progress.loop_lag)
    yield from _head("errors", "counter", "Failed registrations by error.")
    for error, count in sorted(progress.errors.items()):
        yield _line("errors_total", {"error": error}, count)


def _transports(transports: Mapping[str, TransportProgress]) -> Iterator[str]:
    for name, kind, text, unit, samples in _FAMILIES:
        yield from _head(name, kind, text, unit=unit)
        for transport, each in sorted(transports.items()):
            for suffix, labels, value in samples(each):
                yield _line(f"{name}{suffix}", {"transport": transport, **labels}, value)


_Sample = tuple[str, Mapping[str, str], float]
"""Suffix of the name, labels but for the transport, value."""
_Samples = Callable[[TransportProgress], Iterator[_Sample]]


def _started(progress: TransportProgress) -> Iterator[_Sample]:
    yield "_total", {}, progress.started


def _in_flight(progress: TransportProgress) -> Iterator[_Sample]:
    yield "", {}, progress.in_flight


def _outcomes(progress: TransportProgress) -> Iterator[_Sample]:
    for outcome in Outcome:
        yield "_total", {"outcome": outcome}, progress.outcomes.get(outcome, 0)


def _requests(progress: TransportProgress) -> Iterator[_Sample]:
    for kind in REQUESTS:
        yield "_total", {"kind": kind}, progress.requests.get(kind, 0)


def _phases(progress: TransportProgress) -> Iterator[_Sample]:
    for phase, seconds in sorted(progress.seconds.items()):
        yield "_total", {"phase": phase}, max(seconds, 0.0)


def _latencies(progress: TransportProgress) -> Iterator[_Sample]:
    histogram: Histogram = progress.latencies
    for bound in BUCKETS:
        yield "_bucket", {"le": str(bound)}, histogram.at_most(bound)

    yield "_bucket", {"le": "+Inf"}, histogram.count
    yield "_count", {}, histogram.count
    yield "_sum", {}, histogram.total


_FAMILIES: Final[tuple[tuple[str, str, str, str, _Samples], ...]] = (
    ("started", "counter", "Registrations that have started.", "", _started),
    ("in_flight", "gauge", "Registrations that have started and not ended.", "", _in_flight),
    ("registrations", "counter", "Registrations that have ended, by outcome.", "", _outcomes),
    ("requests", "counter", "Requests of registrations that have ended.", "", _requests),
    (
        "latency_seconds",
        "histogram",
        "Time from the intended start to assigned.",
        "seconds",
        _latencies,
    ),
    (
        "phase_seconds",
        "counter",
        "The parts of the latencies of all assigned devices.",
        "seconds",
        _phases,
    ),
)


def _head(name: str, kind: str, text: str, *, unit: str = "") -> Iterator[str]:
    yield f"# TYPE {_PREFIX}_{name} {kind}"
    if unit:
        yield f"# UNIT {_PREFIX}_{name} {unit}"

    yield f"# HELP {_PREFIX}_{name} {text}"


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    pairs = ",".join(f'{label}="{_escape(text)}"' for label, text in labels.items())
    return f"{_PREFIX}_{name}{{{pairs}}} {value}" if pairs else f"{_PREFIX}_{name} {value}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
