"""`/metrics` of the admin port: what the emulator does, for Prometheus.

No label has a registration id, or anything else that a device chooses: each value of a label is a
time series of its own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.request_log.log import NO_STATUS, Exchange
from aiodps.emulator.service.service import Service
from aiodps.models import RegistrationStatus

PATH: Final = "/metrics"
OTHER: Final = "other"
"""The operation of what is not a request of the device API."""
_PREFIX: Final = "aiodps_emulator"
_REQUEST: Final = ("operation", "transport", "status")
_THROTTLED: Final = str(HTTPStatus.TOO_MANY_REQUESTS.value)


class Metrics(Collector):
    """Counts requests, and makes metrics of them when it is asked.

    Args:
        service: Has the registrations.
        connections: Of the HTTPS and MQTT ports.
    """

    def __init__(self, service: Service, connections: ConnectionLimit) -> None:
        self._service = service
        self._connections = connections
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._faults: Counter[tuple[str, ...]] = Counter()

    def routes(self) -> list[SegmentRoute]:
        """Return the route."""
        return [SegmentRoute(PATH, self._respond)]

    def record(self, exchange: Exchange) -> None:
        """Count an exchange; counters go on when the request log is cleared."""
        if exchange.status_code != NO_STATUS:
            operation = OTHER if exchange.operation is None else exchange.operation.value
            self._requests[operation, exchange.transport, str(exchange.status_code)] += 1

        if exchange.fault is not None:
            self._faults[exchange.fault, exchange.transport] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its samples."""
        connections = self._connections
        states = {"handshaking": connections.handshaking, "established": connections.established}
        handshakes = {"completed": connections.completed, "failed": connections.failed}
        yield _gauge("registrations", "Devices by status.", "status", self._statuses())
        yield _gauge("connections", "Open connections by state.", "state", states)
        yield _counter("handshakes", "TLS handshakes that have ended.", ["outcome"], handshakes)
        yield _counter("requests", "Requests with a response.", _REQUEST, self._requests)
        yield _counter("throttled", "Responses with status 429.", ["transport"], self._throttled())
        yield _counter("faults", "Faults on demand.", ["rules", "transport"], self._faults)

    def _statuses(self) -> Counter[str]:
        now = time.time()
        statuses = Counter({status.value: 0 for status in RegistrationStatus})
        for record in self._service.registrations.records():
            result = record.operations[-1].result(now) if record.operations else None
            statuses["assigning" if result is None else result.status.value] += 1

        return statuses

    def _throttled(self) -> Counter[str]:
        throttled: Counter[str] = Counter()
        for (_, transport, status), count in self._requests.items():
            if status == _THROTTLED:
                throttled[transport] += count

        return throttled

    async def _respond(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self), headers={"Content-Type": content_type})


def _gauge(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=[label])
    for each, value in values.items():
        family.add_metric([each], value)

    return family


def _counter(
    name: str,
    text: str,
    labels: Sequence[str],
    values: Mapping[str, int] | Mapping[tuple[str, ...], int],
) -> Metric:
    family = CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)
    for each, value in values.items():
        family.add_metric([each] if isinstance(each, str) else each, value)

    return family
