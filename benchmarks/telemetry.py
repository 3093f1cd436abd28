"""What OpenTelemetry costs a registration: without an SDK, and with one in memory.

    python -m benchmarks.telemetry

Only the reports of its steps are timed, which is all that an observer adds. Ends with 1 if more
than 10 us are added where there is no SDK.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aiodps.models import Phase
from aiodps.observe import Observer, Reporter, StepKind
from aiodps.watching import otel

LIMIT_US: Final = 10.0
ROUNDS: Final = 9
REGISTRATIONS: Final = 2000
STEPS: Final = (
    (StepKind.STARTED, Phase.CONFIGURATION),
    (StepKind.RESOLVED, Phase.DNS),
    (StepKind.CONNECTED, Phase.TCP),
    (StepKind.SECURED, Phase.TLS),
    (StepKind.REGISTERING, Phase.REGISTER),
    (StepKind.SENT, Phase.REGISTER),
    (StepKind.RECEIVED, Phase.REGISTER),
    (StepKind.ACCEPTED, Phase.REGISTER),
    (StepKind.WAITING, Phase.WAIT),
    (StepKind.POLLING, Phase.POLL),
    (StepKind.SENT, Phase.POLL),
    (StepKind.RECEIVED, Phase.POLL),
    (StepKind.ASSIGNED, Phase.POLL),
    (StepKind.CLOSED, Phase.POLL),
)
"""A registration over REST that is polled once."""


def microseconds(observer: Callable[[], Observer | None]) -> float:
    """Return the CPU time of one registration's reports."""
    began = time.process_time()
    for _ in range(REGISTRATIONS):
        report = Reporter("device-1", "rest", observer(), loud=False)
        for kind, phase in STEPS:
            report(kind, phase, took=0.1)

    return (time.process_time() - began) / REGISTRATIONS * 1e6


def in_memory() -> Callable[[], Observer | None]:
    """Return what makes the observer of an SDK that keeps the last spans in memory."""
    spans = TracerProvider(shutdown_on_exit=False)
    spans.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    return lambda: otel.observer(tracer_provider=spans, meter_provider=meters)


def main() -> int:
    """Print the medians; the observers take turns in each round."""
    ways: dict[str, Callable[[], Observer | None]] = {
        "no observer": lambda: None,
        "no SDK": otel.observer,
        "SDK in memory": in_memory(),
    }
    rounds = [[microseconds(observer) for observer in ways.values()] for _ in range(ROUNDS)]
    alone = [measured[0] for measured in rounds]
    added = {
        way: statistics.median(cost - base for cost, base in zip(costs, alone, strict=True))
        for way, costs in zip(ways, zip(*rounds, strict=True), strict=True)
    }
    for way, cost in added.items():
        print(f"{way:14} {cost:8.1f} us a registration more than without an observer")

    return int(added["no SDK"] > LIMIT_US)


if __name__ == "__main__":
    sys.exit(main())
