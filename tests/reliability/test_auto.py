"""Devices that register over `auto`: once each, whichever way is open."""

from __future__ import annotations

import anyio
import pytest
from tests.emulated import DEVICES, attestation, client, emulator
from tests.transports.conformance import NOBODY

import aiodps
from aiodps.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def race(dps: Emulator, *blocked: str) -> aiodps.Auto:
    """Let all transports race to the emulator; nobody listens where those connect that are blocked."""
    ports = {"mqtt": dps.mqtt_port, "mqtt-ws": dps.https_port, "rest": dps.https_port}
    ports |= dict.fromkeys(blocked, NOBODY)
    return aiodps.Auto(
        transports=(
            aiodps.MQTT(port=ports["mqtt"]),
            aiodps.MQTT(port=ports["mqtt-ws"], websocket=True),
            aiodps.REST(port=ports["rest"]),
        )
    )


@pytest.mark.parametrize(
    ("blocked", "winner"),
    [((), "mqtt"), (("mqtt",), "mqtt-ws"), (("mqtt", "mqtt-ws"), "rest"), (("rest",), "mqtt")],
    ids=str,
)
@ON_ASYNCIO
async def test_one_register_each(blocked: tuple[str, ...], winner: str) -> None:
    """Whoever wins carries the whole registration, and the assignment says so."""
    steps: list[aiodps.Step] = []
    async with emulator() as dps:
        device = client(dps, race(dps, *blocked), port=None)
        assignment = await device.provision(
            attestation=attestation(DEVICES["root"]), on_step=steps.append
        )

    assert assignment.transport == winner
    assert dps.counts.register_requests == {"by-root-1": 1}
    assert {step.transport for step in steps if step.kind is aiodps.StepKind.ASSIGNED} == {winner}


@ON_ASYNCIO
async def test_a_client_remembers_the_winner() -> None:
    """The second device of a client does not try what has failed for the first."""
    steps: list[aiodps.Step] = []
    async with emulator() as dps:
        device = client(dps, race(dps, "mqtt"), port=None)
        await device.provision(attestation=attestation(DEVICES["root"]))
        await device.provision(
            attestation=attestation(DEVICES["individual"]), on_step=steps.append
        )

    assert {step.transport for step in steps} == {"auto", "mqtt-ws"}


@ON_ASYNCIO
async def test_a_crowd_races_once_each() -> None:
    """Many devices of one client at once: each registers once."""
    async with emulator() as dps:
        device = client(dps, race(dps, "mqtt"), port=None)
        async with anyio.create_task_group() as tasks:
            for name in ("root", "individual", "intermediate"):
                tasks.start_soon(
                    lambda who: device.provision(attestation=who), attestation(DEVICES[name])
                )

    assert set(dps.counts.register_requests.values()) == {1}
    assert len(dps.counts.register_requests) == 3


@ON_ASYNCIO
async def test_an_error_names_the_winner() -> None:
    """What the service says came over one transport; before one has won it is `auto`."""
    async with emulator() as dps:
        with pytest.raises(aiodps.RegistrationDisabledError) as disabled:
            await client(dps, race(dps), port=None).provision(
                attestation=attestation(DEVICES["disabled"])
            )

        with pytest.raises(aiodps.ConnectError) as nowhere:
            await client(
                dps,
                race(dps, "mqtt", "mqtt-ws", "rest"),
                port=None,
                retry=aiodps.RetryPolicy(max_failures=1),
            ).provision(attestation=attestation(DEVICES["root"]))

    assert disabled.value.transport == "mqtt"
    assert nowhere.value.transport == "auto"
