"""OpenTelemetry: a span and metrics of each registration and look-up, made of its steps.

    assignment = await aiodps.provision(..., on_step=otel.observer())

Needs the extra `otel`. No metric has a registration id: each would be a time series of its own.
What goes over the wire is neither in spans nor in metrics.
"""

from __future__ import annotations

from contextvars import Token
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider
from opentelemetry.util.types import AttributeValue

from aiodps.errors import ThrottledError
from aiodps.observe import Observer, Step, StepKind
from aiodps.version import __version__

BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 90.0, 300.0)
"""Upper bounds of the histograms of durations in seconds; a view of the SDK may have others."""

_SCOPE: Final = "aiodps"
_CANCELLED: Final = "cancelled"
_OPERATIONS: Final = {StepKind.STARTED: "provision", StepKind.LOOK_UP_STARTED: "look_up"}
_OUTCOMES: Final = {
    StepKind.ASSIGNED: "assigned",
    StepKind.FOUND: "found",
    StepKind.FAILED: "failed",
}
_PROTOCOLS: Final = {"rest": "http", "mqtt": "mqtt", "mqtt-ws": "mqtt"}
_LEFT_OUT: Final = {StepKind.SENT, StepKind.RECEIVED}
"""What goes over the wire; `REGISTERING` and `ACCEPTED` and the like say when."""

_Attributes = dict[str, AttributeValue]


def observer(
    *,
    also: Observer | None = None,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Observer | None:
    """Return an observer that makes spans and metrics, for `on_step` of any number of calls.

    Call it after the SDK was set up, best where `on_step` is given: it takes a microsecond or two.

    Args:
        also: Another observer that is called with each step; None for none.
        tracer_provider: Where spans go; None for the global one.
        meter_provider: Where metrics go; None for the global one.

    Returns:
        `also` alone if there is no SDK: nothing would be recorded.
    """
    tracers = tracer_provider or trace.get_tracer_provider()
    meters = meter_provider or metrics.get_meter_provider()
    if _records_nothing(tracers) and _records_nothing(meters):
        return also

    telemetry = _telemetry(tracers, meters)
    if also is None:
        return telemetry

    def both(step: Step, /) -> None:
        telemetry(step)
        also(step)

    return both


def _records_nothing(provider: object) -> bool:
    """Return whether a provider is a placeholder of the API, without an SDK."""
    return type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))


@lru_cache(maxsize=8)
def _telemetry(tracers: TracerProvider, meters: MeterProvider) -> _Telemetry:
    """Return the observer of these providers: an instrument is made once."""
    return _Telemetry(tracers, meters)


@dataclass(slots=True)
class _Call:
    """A registration or look-up that has not ended."""

    operation: str
    started: Step
    span: Span
    outer: Token[Context]
    """Restores the context of the caller."""
    outcome: str = _CANCELLED
    """How it ends if nothing else is said before it is closed."""
    error_type: str | None = _CANCELLED

    def labels(self, step: Step) -> _Attributes:
        """Return the attributes of its metrics at a step."""
        return _labels(self.operation, step.transport, endpoint=self.started.text)


class _Telemetry:
    """An `Observer` of any number of calls, each in the context of its own task."""

    def __init__(self, tracers: TracerProvider, meters: MeterProvider) -> None:
        self._key = context.create_key("aiodps-call")
        self._tracer = tracers.get_tracer(_SCOPE, __version__)
        meter = meters.get_meter(_SCOPE, __version__)
        self._durations = {
            operation: meter.create_histogram(
                f"dps.client.{operation}.duration",
                "s",
                "Time from start to end.",
                explicit_bucket_boundaries_advisory=BUCKETS,
            )
            for operation in _OPERATIONS.values()
        }
        self._active = meter.create_up_down_counter(
            "dps.client.active", "{call}", "Registrations and look-ups that have not ended."
        )
        self._retries = meter.create_counter(
            "dps.client.retries", "{retry}", "Failures that are followed by a retry."
        )
        self._throttles = meter.create_counter(
            "dps.client.throttles", "{response}", "Responses that throttle the device (429)."
        )

    def __call__(self, step: Step, /) -> None:
        """Start a span, add an event to it, or end it."""
        if step.kind in _OPERATIONS:
            self._start(_OPERATIONS[step.kind], step)
            return

        call = context.get_value(self._key)
        if not isinstance(call, _Call) or step.kind in _LEFT_OUT:
            return

        if step.kind is StepKind.CLOSED:
            self._end(call, step)
        else:
            self._note(call, step)

    def _start(self, operation: str, step: Step) -> None:
        """Start a span below the caller's, and make it the current one."""
        labels = _labels(operation, step.transport, endpoint=step.text)
        span = self._tracer.start_span(
            f"dps {operation}",
            kind=SpanKind.CLIENT,
            attributes={**labels, "dps.registration_id": step.registration_id},
        )
        self._active.add(1, labels)
        outer = context.attach(trace.set_span_in_context(span))
        context.attach(context.set_value(self._key, _Call(operation, step, span, outer)))

    def _note(self, call: _Call, step: Step) -> None:
        """Count a step, and add it to the span as an event."""
        if step.kind is StepKind.RETRYING:
            self._retries.add(1, call.labels(step))

        if isinstance(step.error, ThrottledError):
            self._throttles.add(1, call.labels(step))

        if step.kind in _OUTCOMES:
            call.outcome = _OUTCOMES[step.kind]
            call.error_type = None if step.error is None else type(step.error).__name__

        if call.span.is_recording():
            call.span.add_event(step.kind.value, _event(step))
            if step.kind is StepKind.FAILED:
                call.span.set_status(StatusCode.ERROR, step.text)

    def _end(self, call: _Call, step: Step) -> None:
        """Measure the call, end its span, and make the caller's the current one again."""
        result: _Attributes = {**call.labels(step), "dps.outcome": call.outcome}
        if call.error_type is not None:
            result["error.type"] = call.error_type

        self._durations[call.operation].record(step.at - call.started.at, result)
        self._active.add(-1, call.labels(call.started))
        call.span.set_attributes(result)
        if (protocol := _PROTOCOLS.get(step.transport)) is not None:
            call.span.set_attribute("network.protocol.name", protocol)

        if call.outcome == _CANCELLED:
            call.span.set_status(StatusCode.ERROR, _CANCELLED)

        call.span.end()
        context.detach(call.outer)


def _labels(operation: str, transport: str, *, endpoint: str) -> _Attributes:
    return {
        "dps.operation": operation,
        "dps.transport": transport,
        "server.address": endpoint,
    }


def _event(step: Step) -> _Attributes:
    """Return what is known of a step; transports that race have steps of their own each."""
    known: dict[str, AttributeValue | None] = {
        "dps.phase": step.phase.value,
        "dps.transport": step.transport,
        "dps.took": step.took,
        "dps.wait": step.wait,
        "dps.text": step.text or None,
        "error.type": None if step.error is None else type(step.error).__name__,
        "dps.error_code": getattr(step.error, "error_code", None),
    }
    return {name: value for name, value in known.items() if value is not None}
