"""Spans and metrics of registrations, as an SDK in memory receives them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import aiodps
from aiodps.watching import otel

pytestmark = pytest.mark.anyio
ENDPOINT = "dps.example"
SECRET = "canary-of-a-payload"  # noqa: S105 (what must not be seen)
GROUP_KEY = "a" * 86 + "=="
LABELS = {"dps.operation": "provision", "dps.transport": "rest", "server.address": ENDPOINT}
ASSIGNING = httpx.Response(
    202, json={"operationId": "4.abc", "status": "assigning"}, headers={"Retry-After": "0"}
)
ASSIGNED = httpx.Response(
    200,
    json={
        "operationId": "4.abc",
        "status": "assigned",
        "registrationState": {
            "assignedHub": "hub.azure-devices.net",
            "deviceId": "dev-1",
            "status": "assigned",
        },
    },
)
THROTTLED = httpx.Response(429, json={"errorCode": 429001}, headers={"Retry-After": "0"})
REFUSED = httpx.Response(401, json={"errorCode": 401002, "message": f"not {SECRET}"})
RECORD = httpx.Response(200, json={"registrationId": "dev-1", "status": "failed"})

Service = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


def answering(*responses: httpx.Response) -> Service:
    """Make a service that gives these responses in turn."""
    left = list(responses)

    async def respond(_: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        each = left.pop(0)
        return httpx.Response(each.status_code, headers=each.headers, content=each.content)

    return respond


@dataclass
class Sdk:
    """An SDK that keeps everything in memory, and a client that is observed by it."""

    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self) -> None:
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def observer(self, also: aiodps.Observer | None = None) -> aiodps.Observer | None:
        """Return the observer of this SDK."""
        return otel.observer(also=also, tracer_provider=self.tracers, meter_provider=self.meters)

    async def provision(
        self, service: Service, *, name: str = "dev-1", also: aiodps.Observer | None = None
    ) -> aiodps.Assignment:
        """Provision a device with a service."""
        return await client(service).provision(
            attestation=aiodps.SymmetricKey.derive(group_key=GROUP_KEY, registration_id=name),
            payload={"p": SECRET},
            on_step=self.observer(also),
        )

    @property
    def span(self) -> ReadableSpan:
        """The only span that has ended."""
        (span,) = self.spans.get_finished_spans()
        return span

    def metrics(self) -> dict[str, Any]:
        """Return the data points of each metric."""
        data = self.reader.get_metrics_data()
        assert data is not None
        (scope,) = data.resource_metrics[0].scope_metrics
        assert scope.scope.name == "aiodps"
        return {each.name: list(each.data.data_points) for each in scope.metrics}


def client(service: Service) -> aiodps.ProvisioningClient:
    """Return a client that talks to a service in memory."""
    return aiodps.ProvisioningClient(
        id_scope="0ne00000000",
        endpoint=ENDPOINT,
        transport=aiodps.REST(http_transport=httpx.MockTransport(service)),
        retry=aiodps.RetryPolicy(min_poll_interval=0, poll_interval=0, base=0),
    )


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Return what a span says of itself."""
    return dict(span.attributes or {})


async def test_a_registration_is_a_span() -> None:
    """Its steps are events; the span says how it ended, and who the device is."""
    sdk = Sdk()
    await sdk.provision(answering(ASSIGNING, ASSIGNED))

    span = sdk.span
    assert (span.name, span.kind, span.status.status_code) == (
        "dps provision",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    assert attributes(span) == LABELS | {
        "dps.registration_id": "dev-1",
        "dps.outcome": "assigned",
        "network.protocol.name": "http",
    }
    assert [event.name for event in span.events] == [
        "registering",
        "accepted",
        "waiting",
        "polling",
        "assigned",
    ]
    assert dict(span.events[2].attributes or {}) == {
        "dps.phase": "wait",
        "dps.transport": "rest",
        "dps.wait": 0.0,
    }


async def test_its_metrics() -> None:
    """Duration by outcome and transport, nothing in flight, and no registration id anywhere."""
    sdk = Sdk()
    await sdk.provision(answering(THROTTLED, ASSIGNING, ASSIGNED))

    found = sdk.metrics()
    (duration,) = found["dps.client.provision.duration"]
    assert (duration.attributes, duration.count) == (LABELS | {"dps.outcome": "assigned"}, 1)
    assert duration.explicit_bounds == otel.BUCKETS
    for name, value in (("active", 0), ("retries", 1), ("throttles", 1)):
        (point,) = found[f"dps.client.{name}"]
        assert (point.attributes, point.value) == (LABELS, value)


async def test_a_failure() -> None:
    """The span says which error it was, as the log does: without the payload that is quoted."""
    sdk = Sdk()
    with pytest.raises(aiodps.UnauthorizedError):
        await sdk.provision(answering(REFUSED))

    span = sdk.span
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)["error.type"] == "UnauthorizedError"
    assert dict(span.events[-1].attributes or {})["dps.error_code"] == 401002
    assert SECRET not in span.to_json()
    (duration,) = sdk.metrics()["dps.client.provision.duration"]
    assert duration.attributes == LABELS | {
        "dps.outcome": "failed",
        "error.type": "UnauthorizedError",
    }


async def test_cancellation_ends_the_span() -> None:
    """The caller's span is the current one again, and nothing is in flight."""
    sdk = Sdk()

    async def silent(_: httpx.Request) -> httpx.Response:
        scope.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.CancelScope() as scope:
        await sdk.provision(silent)

    assert attributes(sdk.span)["dps.outcome"] == "cancelled"
    assert sdk.span.status.status_code is StatusCode.ERROR
    assert sdk.metrics()["dps.client.active"][0].value == 0
    assert not trace.get_current_span().get_span_context().is_valid


async def test_concurrent_spans_lie_below_their_callers() -> None:
    """Each below the span of its own task, however their steps interleave; and is current."""
    sdk = Sdk()
    tracer = sdk.tracers.get_tracer("caller")
    inside: dict[str, set[int]] = {}

    def also(step: aiodps.Step) -> None:
        if step.kind is not aiodps.StepKind.CLOSED:
            span_id = trace.get_current_span().get_span_context().span_id
            inside.setdefault(step.registration_id, set()).add(span_id)

    async def caller(name: str) -> None:
        with tracer.start_as_current_span(f"caller of {name}"):
            await sdk.provision(answering(ASSIGNING, ASSIGNING, ASSIGNED), name=name, also=also)

    async with anyio.create_task_group() as tasks:
        for name in ("dev-1", "dev-2", "dev-3"):
            tasks.start_soon(caller, name)

    spans = sdk.spans.get_finished_spans()
    callers = {span.name: span.context for span in spans if span.parent is None}
    ours = [span for span in spans if span.parent is not None]
    assert (len(callers), len(ours)) == (3, 3)
    for span in ours:
        name = str(attributes(span)["dps.registration_id"])
        assert span.context is not None
        assert span.parent == callers[f"caller of {name}"]
        assert inside[name] == {span.context.span_id}


async def test_a_look_up() -> None:
    """It has a span and a histogram of its own: it is not a registration."""
    sdk = Sdk()
    await client(answering(RECORD)).registration_status(
        attestation=aiodps.SymmetricKey.derive(group_key=GROUP_KEY, registration_id="dev-1"),
        on_step=sdk.observer(),
    )

    assert sdk.span.name == "dps look_up"
    assert attributes(sdk.span)["dps.outcome"] == "found"
    assert "dps.client.look_up.duration" in sdk.metrics()
    assert "dps.client.provision.duration" not in sdk.metrics()


async def test_nothing_is_started_for_a_wrong_argument() -> None:
    """What is refused before anything is sent has no span, and is not in flight for ever."""
    sdk = Sdk()
    with pytest.raises(aiodps.ConfigurationError):
        await client(answering()).provision(registration_id="dev-1", on_step=sdk.observer())

    assert sdk.spans.get_finished_spans() == ()


def test_without_an_sdk_nobody_observes() -> None:
    """The API's own providers record nothing; another observer is called all the same."""
    assert otel.observer() is None
    assert otel.observer(also=print) is print


def test_one_sdk_has_one_observer() -> None:
    """An SDK warns of instruments that are made twice."""
    sdk = Sdk()
    assert sdk.observer() is sdk.observer()


def test_a_step_of_nothing_is_left_out() -> None:
    """Without a start there is no span that it might belong to."""
    sdk = Sdk()
    observe = sdk.observer()
    assert observe is not None
    observe(
        aiodps.Step(
            kind=aiodps.StepKind.CLOSED,
            at=1.0,
            registration_id="d",
            transport="rest",
            phase=aiodps.Phase.WAIT,
        )
    )

    assert sdk.spans.get_finished_spans() == ()
