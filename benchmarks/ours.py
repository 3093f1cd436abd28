"""aiodps itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.baseline import Server

import aiodps

AT_ONCE = aiodps.RetryPolicy(min_poll_interval=0, poll_interval=0)
"""Polls without waiting: the service under test answers `Retry-After: 0`."""


_NATIVE: Mapping[str, Any] = {"session": "native"}


@functools.cache
def client(server: Server, transport: str) -> aiodps.ProvisioningClient:
    """Make one client for all devices."""
    native = aiodps.MQTT(port=server.mqtt_port, **_NATIVE) if transport == "mqtt_native" else None
    port = server.https_port if transport == "rest" else server.mqtt_port
    return aiodps.ProvisioningClient(
        id_scope=server.id_scope,
        endpoint=server.host,
        port=None if native else port,
        transport=native or transport,
        trust=server.ca.encode(),
        retry=AT_ONCE,
    )


async def rest(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Provision over REST."""
    return await _provision(server, registration_id, chain, key, "rest")


async def mqtt(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Provision over MQTT."""
    return await _provision(server, registration_id, chain, key, "mqtt")


async def mqtt_native(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Provision over MQTT, with the session of our own."""
    return await _provision(server, registration_id, chain, key, "mqtt_native")


async def _provision(
    server: Server, registration_id: str, chain: Path, key: Path, transport: str
) -> str:
    assignment = await client(server, transport).provision(
        attestation=aiodps.X509.from_files(chain, key), registration_id=registration_id
    )
    return assignment.assigned_hub
