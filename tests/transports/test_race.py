"""Who may speak in a race, when the next one starts, and what is told if all fail."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from tests.protocol.mqtt_bytes import CONNACK
from tests.scripted import mqtt, websocket
from tests.scripted.server import silent, target
from tests.transports.conformance import NOBODY
from tests.transports.ways import (
    ANSWERS,
    CLOSES,
    MUTE,
    REFUSES,
    REST_ANSWERS,
    Ways,
    until_one_speaks,
    wall,
)

from aiodps.errors import (
    ConnectError,
    ConnectionLostError,
    ProvisioningError,
    ServerIdentityError,
    UnauthorizedError,
)
from aiodps.models import Phase
from aiodps.network import dial
from aiodps.network.trust import Trust
from aiodps.observe import StepKind
from aiodps.protocol.messages import Register
from aiodps.transports import mqtt_session, race
from aiodps.transports.auto import Auto
from aiodps.transports.base import Target
from aiodps.transports.mqtt import MQTT, MqttTransport
from aiodps.transports.race import Entrant, Race
from aiodps.transports.rest import REST

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@pytest.fixture
def anyio_backend() -> str:
    """The session of aiomqtt runs on asyncio only."""
    return "asyncio"


async def test_one_speaks_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """While CONNACK is awaited nobody else says a word of DPS; then it is the next one's turn."""
    said: dict[str, bool] = {}
    spoke = anyio.Event()
    loop = asyncio.get_running_loop()

    def mute(line: mqtt.Line) -> None:
        line.expect(0x10)
        loop.call_soon_threadsafe(spoke.set)
        line.drain()

    def second(line: websocket.Line) -> None:
        line.expect(0x10)
        said["first is closed"] = ways.mqtt.lines[0].ended.wait(10)
        line.send(CONNACK)
        line.send(b"\x90\x03" + line.expect(0x82)[:2] + b"\1")
        line.drain()

    with Ways(mqtt=mute, ws=second, rest=silent).open() as ways:

        async def in_order(running: Race, entrant: Entrant) -> None:
            await until_one_speaks(running, entrant)
            while entrant.name == "mqtt-ws" and not ways.told(StepKind.UPGRADED):
                await anyio.lowlevel.checkpoint()

        monkeypatch.setattr(race.Race, "_hold", in_order)
        async with ways.racing() as transport, anyio.create_task_group() as tasks:
            tasks.start_soon(transport.connect)
            await spoke.wait()
            while len(ways.told(StepKind.SECURED)) < 3:
                await anyio.lowlevel.checkpoint()

            assert not ways.told(StepKind.TRANSPORT_CHOSEN)
            assert ways.rest.lines[0].received == b""
            entrant = transport.entrants[0]  # type: ignore[attr-defined]
            entrant.transport._session.close()

    assert said == {"first is closed": True}
    assert ways.rest.lines[0].received == b""
    assert [step.text[:7] for step in ways.told(StepKind.TRANSPORT_CHOSEN)] == ["mqtt-ws"]


async def test_what_is_said_of_the_device_ends_the_race() -> None:
    """The others would hear the same, and rest would cost a register request."""
    with Ways(mqtt=REFUSES, ws=ANSWERS, rest=REST_ANSWERS).open() as ways:
        async with ways.racing() as transport:
            with pytest.raises(UnauthorizedError) as caught:
                await transport.connect()

        assert ways.reached == ["mqtt"]

    assert caught.value.phase is Phase.SESSION


async def failed(settings: Auto, target: Target) -> ProvisioningError:
    """Return what a race came to that nobody can win."""
    transport = settings.open(target)
    with pytest.raises(ProvisioningError) as caught:
        await transport.connect()

    transport.close()
    assert target.report.transport == "auto"
    return caught.value


async def test_all_fail() -> None:
    """The error is the one of whoever came furthest, and names the others."""
    with Ways(mqtt=CLOSES, ws=silent, rest=silent).open() as ways:
        first = ways.settings().transports[0]
        nobody = (MQTT(port=NOBODY, websocket=True), REST(port=NOBODY))
        to = ways.target()
        error = await failed(Auto(transports=(nobody[0], first, nobody[1])), to)
        refused = await failed(Auto(transports=nobody), ways.target())

    assert isinstance(error, ConnectionLostError)
    assert error.message.startswith("mqtt: the service closed the connection; mqtt-ws: cannot")
    assert "; rest: cannot connect" in error.message
    assert not error.persistent
    assert to.report.phase is Phase.SESSION
    assert isinstance(refused, ConnectError)
    assert refused.persistent
    assert refused.message.count("cannot connect") == 1


async def test_who_intercepts_tells_more_than_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that is not trusted is told, although 8883 did not answer at all."""
    monkeypatch.setattr(dial, "TLS_TIMEOUT", 0.05)
    with Ways(mqtt=wall, ws=silent, rest=silent).open() as ways:
        error = await failed(ways.settings(stagger=0.01), ways.target(trust=Trust.of(None)))

    assert isinstance(error, ServerIdentityError)
    assert "mqtt: the TLS handshake" in error.message


async def test_a_busy_process_does_not_start_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a slot of the handshake limiter is not late because of the network."""

    async def queues(transport: MqttTransport) -> None:
        transport._target.report.phase = Phase.QUEUE
        for _ in range(50):
            await anyio.lowlevel.checkpoint()

        transport._target.report.phase = Phase.TCP
        assert transport._target.turn is not None
        await transport._target.turn()

    with Ways(mqtt=ANSWERS, ws=ANSWERS, rest=REST_ANSWERS).open() as ways:
        monkeypatch.setattr(MqttTransport, "connect", queues)
        async with ways.racing(stagger=0) as transport:
            await transport.connect()

        assert ways.reached == []


async def test_a_deadline_knows_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cancels a race is told the phase of the connection that came furthest."""
    monkeypatch.setattr(race, "HEAD_START", 0.01)
    with Ways(mqtt=wall, ws=MUTE, rest=silent).open() as ways:
        settings = Auto(transports=ways.settings().transports[:2], stagger=0.01)
        transport = settings.open(to := ways.target())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.connect)
            while not any(step.text.startswith("CONNECT ") for step in ways.steps):
                await anyio.lowlevel.checkpoint()

            tasks.cancel_scope.cancel()

    assert to.report.phase is Phase.SESSION


async def test_the_turn_ends_with_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes CONNECT and is silent holds up the others no longer than that."""
    monkeypatch.setattr(mqtt_session, "OPEN_TIMEOUT", 0.01)
    with Ways(mqtt=MUTE, ws=MUTE, rest=REST_ANSWERS).open() as ways:
        async with ways.racing() as transport:
            await transport.connect()
            await transport.exchange(Register())

    (chosen,) = ways.told(StepKind.TRANSPORT_CHOSEN)
    assert chosen.text.startswith("rest; mqtt: no CONNACK")


async def test_a_crowd_waits_for_what_others_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is late is not overtaken while those of other devices get through."""
    settings = Auto()
    late = anyio.Event()
    expiries = 0

    async def connect(transport: MqttTransport) -> None:
        await late.wait()
        assert transport._target.turn is not None
        await transport._target.turn()

    def move_on_after(_: float) -> anyio.CancelScope:
        nonlocal expiries
        expiries += 1
        settings.remember(to, "mqtt")
        if expiries == 5:
            late.set()

        return anyio.CancelScope(deadline=0)

    monkeypatch.setattr(MqttTransport, "connect", connect)
    monkeypatch.setattr(anyio, "move_on_after", move_on_after)
    transport = settings.open(to := target(transport="auto"))
    await transport.connect()

    assert (to.report.transport, expiries) == ("mqtt", 5)
    assert settings.wins(to, "mqtt") == 6
    assert settings.wins(to, "rest") == 0
