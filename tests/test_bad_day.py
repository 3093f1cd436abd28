"""Our own client and the service on a bad day: every device is assigned, whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import pytest
from tests.certificates import root
from tests.emulated import attestation, client, emulator

import aiodps
from aiodps.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
SEED = 11
DEVICES = [f"bad-day-{n}" for n in range(12)]


async def provision(dps: Emulator, transport: str) -> dict[str, aiodps.Assignment]:
    """Provision all devices at once."""
    assigned: dict[str, aiodps.Assignment] = {}

    async def one(name: str) -> None:
        device = attestation(root().device(name))
        assigned[name] = await client(dps, transport).provision(attestation=device)

    async with anyio.create_task_group() as tasks:
        for name in DEVICES:
            tasks.start_soon(one, name)

    return assigned


def seen(dps: Emulator) -> dict[str, list[Any]]:
    """What happened to each device, in order."""
    happened: dict[str, list[Any]] = {name: [] for name in DEVICES}
    for each in dps.request_log:
        if each.registration_id in happened:
            happened[each.registration_id].append((each.what, each.status_code, each.fault))

    return happened


each_transport = pytest.mark.parametrize(
    ("anyio_backend", "transport"), [("asyncio", "rest"), ("trio", "rest"), ("asyncio", "mqtt")]
)
"""Each transport on each event loop that it runs on; MQTT needs asyncio."""


@each_transport
async def test_every_device_is_assigned(transport: str) -> None:
    """Each as itself, and there were faults of every kind."""
    async with emulator(harsh=True, seed=SEED) as dps:
        assigned = await provision(dps, transport)

        assert {name: each.device_id for name, each in assigned.items()} == {n: n for n in DEVICES}
        rules = Counter(
            rule for each in dps.request_log if each.fault for rule in each.fault.split(" + ")
        )

    wanted = {"harsh: throttled", "harsh: busy", "harsh: slow", "harsh: new members"}
    if transport == "mqtt":
        wanted |= {"harsh: twice", "harsh: out of order"}

    assert set(rules) == wanted


async def test_a_bad_day_can_be_repeated() -> None:
    """The same seed: the same for each device, in whatever order they came."""
    days: dict[str, dict[str, list[Any]]] = {}

    async def live_through(day: str, seed: int) -> None:
        async with emulator(harsh=True, seed=seed) as dps:
            await provision(dps, "rest")
            days[day] = seen(dps)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live_through, "one", SEED)
        tasks.start_soon(live_through, "the same", SEED)
        tasks.start_soon(live_through, "another", SEED + 1)

    assert days["one"] == days["the same"]
    assert days["one"] != days["another"]


@each_transport
async def test_one_register_is_one_device(transport: str) -> None:
    """A register whose answer is lost is sent again, and is not another device."""
    rule = '[[rule]]\noperation = "register"\nfirst = 1\ndrop = "after"'
    async with emulator(faults=rule) as dps:
        assigned = await provision(dps, transport)

        assert {each.device_id for each in assigned.values()} == set(DEVICES)
        assert set(dps.counts.register_requests.values()) == {2}
