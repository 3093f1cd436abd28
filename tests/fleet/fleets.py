"""Fleets for tests: devices of the test root, against an emulator in this process."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tests.certificates import root
from tests.emulated import attestation

from aiodps.emulator import Emulator
from aiodps.fleet.plan.arrivals import Closed
from aiodps.fleet.plan.devices import Device, InMemoryDevices
from aiodps.fleet.plan.spec import Plan, Service, ShardSpec

SERVICE = Service(id_scope="0ne00000000", endpoint="127.0.0.1", min_poll_interval=0)


def given(count: int, *, prefix: str = "fleet") -> InMemoryDevices:
    """Make devices that the test root vouches for."""
    names = [f"{prefix}-{number:03}" for number in range(count)]
    return InMemoryDevices(
        tuple(
            Device(registration_id=name, attestation=attestation(root().device(name)))
            for name in names
        )
    )


def plan(**changes: Any) -> Plan:
    """Make a plan: REST, five at a time, unless told otherwise."""
    base: dict[str, Any] = {
        "run_id": "run-1",
        "service": SERVICE,
        "transports": ("rest",),
        "arrivals": Closed(concurrency=5),
    }
    return Plan(**base | changes)


def spec(dps: Emulator, folder: Path, count: int, **changes: Any) -> ShardSpec:
    """Make the only shard of a run against an emulator."""
    ca = folder / "ca.pem"
    ca.write_bytes(dps.ca_pem)
    service = dataclasses.replace(
        changes.pop("service", SERVICE),
        ports={"rest": dps.https_port, "mqtt": dps.mqtt_port},
        trust=str(ca),
    )
    return ShardSpec(
        plan=plan(**changes, service=service), shard=0, source=given(count), folder=folder
    )
