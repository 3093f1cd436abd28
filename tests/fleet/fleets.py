"""Fleets for tests: devices of the test root, against an emulator in this process."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import anyio
from tests.certificates import root
from tests.emulated import attestation

from aiodps.emulator import Emulator
from aiodps.emulator.protocol.messages import Operation
from aiodps.emulator.request_log.log import Exchange
from aiodps.fleet.plan.arrivals import Closed
from aiodps.fleet.plan.devices import Device, InMemoryDevices
from aiodps.fleet.plan.spec import RunOptions, ShardSpec
from aiodps.settings import Settings

NEVER: Final = 3600.0
"""Seconds an emulator takes to assign whom nobody releases."""
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
        options=with_address(dps, folder, **changes),
        shard=0,
        source=given(count),
        folder=folder,
    )


def release(dps: Emulator) -> None:
    """Assign every device that waits, and the next ones at once."""
    registrations = dps.service.registrations
    registrations.assign_after = 0.0
    for record in list(registrations.records()):
        done = dataclasses.replace(record.operations[-1], finished=0.0)
        registrations._keep(record.with_operation(done, now=time.time()))


@contextlib.contextmanager
def awaited(dps: Emulator, operation: Operation, count: int) -> Iterator[anyio.Event]:
    """Give an event that is set when so many devices have sent an operation."""
    reached, seen = anyio.Event(), set[str | None]()

    def note(exchange: Exchange) -> None:
        if exchange.operation is operation:
            seen.add(exchange.registration_id)
            if len(seen) >= count:
                reached.set()

    with dps.request_log.listen(note):
        yield reached


def with_address(dps: Emulator, folder: Path, **changes: Any) -> RunOptions:
    """Make options for a run against an emulator."""
    (folder / "ca.pem").write_bytes(dps.ca_pem)
    asked = options(**changes)
    return dataclasses.replace(
        asked,
        settings=asked.settings.replace(trust=str(folder / "ca.pem")),
        ports={"rest": dps.https_port, "mqtt": dps.mqtt_port},
    )
