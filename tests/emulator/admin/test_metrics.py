"""Metrics of the emulator are what Prometheus's own parsers take them for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from tests.emulated import SCOPE, device, running
from tests.scripted_client import http

from aiodps.emulator.admin.metrics import Metrics
from aiodps.emulator.admin.server import AdminPort
from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.timeouts import PeerTimeout
from aiodps.emulator.protocol.messages import Operation
from aiodps.emulator.request_log.log import Exchange
from aiodps.emulator.service.service import Service

REGISTER = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"
BUSY = '[[rule]]\nname = "busy"\nregistration_id = "device-2"\nstatus = 429\n'

Parse = Callable[[str], Iterable[Metric]]
FORMATS: dict[str, tuple[str, Parse]] = {
    "text": ("text/plain", text_string_to_metric_families),
    "openmetrics": (
        "application/openmetrics-text; version=1.0.0",
        openmetrics.text_string_to_metric_families,
    ),
}


def samples(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """Return values by name and values of labels."""
    return {
        (sample.name.removeprefix("aiodps_emulator_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def metrics() -> Metrics:
    """Make the metrics of an instance that nobody has used yet."""
    return Metrics(Service(id_scope=SCOPE, linked_hubs=["hub.example"]), ConnectionLimit(10))


async def fetch(admin: AdminPort, accept: str, token: str) -> httpx.Response:
    """Ask as Prometheus does."""
    headers = {"Authorization": f"Bearer {token}", "Accept": accept}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"{admin.url}/metrics", headers=headers)


@pytest.mark.anyio
@pytest.mark.sockets
@pytest.mark.parametrize("form", FORMATS)
async def test_a_running_emulator(form: str) -> None:
    """In both formats: registrations, requests, what was throttled, connections, handshakes."""
    accept, parse = FORMATS[form]
    async with running(admin_port=0, assign_after=60, faults=BUSY) as dps:
        assert dps.admin is not None
        async with http(dps, device()) as client:
            await client.ask("PUT", REGISTER, b"{}")
            await client.ask("PUT", REGISTER.replace("device-1", "device-2"), b"{}")
            response = await fetch(dps.admin, accept, dps.admin.token)

        refused = await fetch(dps.admin, accept, "wrong")

    found = samples(parse(response.text))
    assert response.headers["Content-Type"].startswith(accept)
    assert found["registrations", "assigning"] == 1
    assert found["registrations", "assigned"] == 0
    assert found["connections", "established"] == 1
    assert found["handshakes_total", "completed"] == 1
    assert found["handshakes_total", "failed"] == 0
    assert found["requests_total", "register", "202", "https"] == 1
    assert found["requests_total", "register", "429", "https"] == 1
    assert found["throttled_total", "https"] == 1
    assert found["faults_total", "busy", "https"] == 1
    assert "device-" not in response.text
    assert refused.status_code == 401


def test_what_a_client_chooses_is_no_label() -> None:
    """A path, a certificate: they would fill Prometheus."""
    kept = metrics()
    for number in range(5):
        kept.record(
            Exchange(
                transport="https",
                what=f"GET /{number}",
                status_code=404,
                certificate=f"CN={number}",
            )
        )

    found = {name: value for name, value in samples(kept.collect()).items() if value}
    assert found == {("requests_total", "other", "https", "404"): 5}


def test_a_fault_without_a_response() -> None:
    """It is drawn, and there is no request that was responded to."""
    kept = metrics()
    lost: dict[str, Any] = {"what": "register", "operation": Operation.REGISTER, "fault": "lost"}
    kept.record(Exchange(transport="mqtt", **lost))

    found = {name: value for name, value in samples(kept.collect()).items() if value}
    assert found == {("faults_total", "lost", "mqtt"): 1}


@pytest.mark.anyio
async def test_handshakes_that_fail() -> None:
    """Every connection that ends before it is established is one."""
    limit = ConnectionLimit(10)
    with PeerTimeout() as first, PeerTimeout() as second:
        with limit.slot(first):
            limit.mark_established(first)

        with limit.slot(second):
            assert (limit.handshaking, limit.established) == (1, 0)

    assert (limit.completed, limit.failed) == (1, 1)
