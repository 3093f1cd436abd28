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
from aiodps.fleet.plan.spec import RunOptions, ShardSpec
from aiodps.settings import Settings

SETTINGS = Settings(id_scope="0ne00000000", endpoint="127.0.0.1")


def given(count: int, *, prefix: str = "fleet") -> InMemoryDevices:
    """Make devices that the test root vouches for."""
    names = [f"{prefix}-{number:03}" for number in range(count)]
    return InMemoryDevices(
        tuple(
            Device(registration_id=name, attestation=attestation(root().device(name)))
            for name in names
        )
    )


def options(**changes: Any) -> RunOptions:
    """Make options: REST, five at a time, polled without a wait, unless told otherwise."""
    base: dict[str, Any] = {
        "settings": SETTINGS,
        "min_poll_interval": 0,
        "transports": ("rest",),
        "arrivals": Closed(concurrency=5),
    }
    return RunOptions(**base | changes)


def spec(dps: Emulator, folder: Path, count: int, **changes: Any) -> ShardSpec:
    """Make the only shard of a run against an emulator."""
    return ShardSpec(
        run_id="run-1",
        options=reaching(dps, folder, **changes),
        shard=0,
        source=given(count),
        folder=folder,
    )


def reaching(dps: Emulator, folder: Path, **changes: Any) -> RunOptions:
    """Make options for a run against an emulator."""
    (folder / "ca.pem").write_bytes(dps.ca_pem)
    asked = options(**changes)
    return dataclasses.replace(
        asked,
        settings=asked.settings.replace(trust=str(folder / "ca.pem")),
        ports={"rest": dps.https_port, "mqtt": dps.mqtt_port},
    )
