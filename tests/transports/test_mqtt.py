"""The MQTT transport when all goes well, its settings, and its keep-alive; real sockets, real TLS."""

from __future__ import annotations

import json
import threading
from typing import Any

import anyio
import pytest
from tests.protocol.mqtt_bytes import CONNACK, puback, suback, text
from tests.scripted.mqtt import Line, MqttServer, assigning, narrow, open_to
from tests.scripted.server import target
from tests.transports.conformance import EACH_SESSION

from aiodps.errors import (
    ConfigurationError,
)
from aiodps.models import Phase
from aiodps.observe import Step, StepKind
from aiodps.protocol.limits import MAX_PACKET
from aiodps.protocol.messages import QueryStatus, Register
from aiodps.transports.base import SessionName
from aiodps.transports.mqtt import MQTT
from aiodps.transports.native_writer import NativeWriter
from aiodps.transports.paho_writer import PahoWriter

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)

RES = "$dps/registrations/res/"


@pytest.mark.usefixtures("session")
@EACH_SESSION
async def test_requests_and_answers() -> None:
    """A register and a poll get the answers with their `$rid`, over one connection."""
    seen: list[Any] = []

    def script(line: Line) -> None:
        seen.append(line.expect(0x10))
        line.send(CONNACK)
        subscribe = line.expect(0x82)
        seen.append(subscribe[2:])
        line.send(suback(subscribe[:2]))
        for status, body in ((202, b'{"operationId": "op"}'), (200, b'{"status": "assigned"}')):
            seen.append(asked := line.request())
            line.send(asked.answer(status, body, more="&retry-after=3"))

        seen.append(line.rest())

    with MqttServer(script) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            await transport.connect()
            first = await transport.exchange(Register({"a": 1}))
            second = await transport.exchange(QueryStatus("op"))

    connect, subscribe, register, query, rest = seen

    assert (first.status_code, first.body, first.retry_after) == (
        202,
        b'{"operationId": "op"}',
        3.0,
    )
    assert (second.status_code, second.body) == (200, b'{"status": "assigned"}')
    assert connect[:14] == b"\0\4MQTT\4\x82\0\x3c\0\4de"
    assert b"0ne00000000/registrations/dev1/api-version=2019-03-31&ClientVersion=" in connect
    assert subscribe == text(f"{RES}#") + b"\1"
    assert register.topic == f"$dps/registrations/PUT/iotdps-register/?$rid={register.rid}"
    assert len(register.rid) == 32
    assert json.loads(register.body) == {"registrationId": "dev1", "payload": {"a": 1}}
    assert query.topic.startswith("$dps/registrations/GET/iotdps-get-operationstatus/?$rid=")
    assert query.topic.endswith("&operationId=op")
    assert query.rid != register.rid
    assert rest[-1] == 0xE0
    assert len(peer.lines) == 1


@pytest.mark.usefixtures("session")
@EACH_SESSION
async def test_a_token_is_the_password() -> None:
    """What the attestation gives is the session's password, and is not told in a step."""
    seen: list[bytes] = []
    steps: list[Step] = []

    def script(line: Line) -> None:
        seen.append(line.expect(0x10))
        line.send(CONNACK)
        line.send(suback(line.expect(0x82)[:2]))
        line.drain()

    with MqttServer(script) as peer:
        async with open_to(peer, steps.append, sas="SAS") as transport:
            await transport.connect()

    assert seen[0].endswith(text("SAS 0ne00000000/registrations/dev1"))
    assert [step for step in steps if "password ***" in step.text]
    assert not [step for step in steps if "SAS" in step.text]


@pytest.mark.usefixtures("session")
@EACH_SESSION
async def test_whoever_cancels_it_knows_how_far_it_came() -> None:
    """A server that takes CONNECT and says nothing is silent in the phase `session`."""
    asked = threading.Event()

    def script(line: Line) -> None:
        line.expect(0x10)
        asked.set()
        line.drain()

    with MqttServer(script) as peer:
        async with open_to(peer) as transport, anyio.create_task_group() as tasks:
            tasks.start_soon(transport.connect)
            while not asked.is_set():
                await anyio.lowlevel.checkpoint()

            reached = transport._target.report.phase
            tasks.cancel_scope.cancel()

    assert reached is Phase.SESSION


@pytest.mark.usefixtures("session")
@EACH_SESSION
async def test_steps() -> None:
    """Steps tell each phase with its time and each packet, with the custom payload masked."""
    steps: list[Step] = []
    with MqttServer(assigning) as peer:
        async with open_to(peer, steps.append) as transport:
            await transport.connect()
            await transport.exchange(Register({"key": "secret"}))

    told = [(step.kind.value, step.phase.value, step.text.split()[:1]) for step in steps]
    timed = {step.kind for step in steps if step.took is not None}

    assert [step for step in told if step[0] not in {"sent", "received"}] == [
        ("connected", "tcp", []),
        ("secured", "tls", []),
        ("session-opened", "session", []),
        ("subscribed", "session", []),
    ]
    assert [step for step in told if step[0] in {"sent", "received"}] == [
        ("sent", "session", ["CONNECT"]),
        ("received", "session", ["CONNACK"]),
        ("sent", "session", ["SUBSCRIBE"]),
        ("received", "session", ["SUBACK"]),
        ("sent", "register", ["PUBLISH"]),
        ("received", "register", ["PUBACK"]),
        ("received", "register", ["PUBLISH"]),
        ("sent", "wait", ["PUBACK"]),
        ("sent", "wait", ["DISCONNECT"]),
    ]
    assert StepKind.SESSION_OPENED in timed
    assert StepKind.SUBSCRIBED in timed
    assert not [step for step in steps if "secret" in step.text]


@pytest.mark.usefixtures("session")
@EACH_SESSION
@pytest.mark.parametrize("order", ["answer-first", "no-puback", "bytewise"])
async def test_answers_in_any_shape(order: str) -> None:
    """An answer may come before its PUBACK, without one, and one byte at a time."""

    def script(line: Line) -> None:
        line.accept()
        for _ in range(30):
            asked = line.request(acknowledge=False)
            if order == "bytewise":
                for byte in asked.answer(200, b"x" * 20):
                    line.send(bytes([byte]))
            else:
                line.send(asked.answer(200, b"x" * 20))

            if order == "answer-first":
                line.send(puback(asked.packet_id))

        line.drain()

    with MqttServer(script) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            answers = [await transport.exchange(QueryStatus("op")) for _ in range(30)]

    assert {answer.body for answer in answers} == {b"x" * 20}


@pytest.mark.usefixtures("session")
@EACH_SESSION
async def test_largest_answer_and_request() -> None:
    """A packet of the limit passes, and a request that does not fit into the socket at once."""

    def script(line: Line) -> None:
        line.accept()
        asked = line.request()
        room = MAX_PACKET - len(asked.answer(200, b"x" * 100_000)) + 100_000
        line.send(asked.answer(200, b"x" * room))
        line.drain()

    with MqttServer(script) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            narrow(transport)
            answer = await transport.exchange(Register({"x": "y" * 90_000}))

    assert len(answer.body) > MAX_PACKET - 100


def test_defaults() -> None:
    """The defaults are those of the service."""
    settings, websocket = MQTT(), MQTT(websocket=True)

    assert (settings.name, websocket.name) == ("mqtt", "mqtt-ws")
    assert (settings.tcp_port, websocket.tcp_port, MQTT(port=1).tcp_port) == (8883, 443, 1)
    assert (settings.api_version, settings.keep_alive) == (None, 60)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": "8883"}, "port"),
        ({"keep_alive": -1}, "keep_alive"),
        ({"websocket": "yes"}, "websocket"),
        ({"session": "paho"}, "session"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], name: str) -> None:
    """What MQTT or TCP cannot say is refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        MQTT(**settings)

    assert caught.value.setting == name


def test_which_session() -> None:
    """The session of aiomqtt says what it needs and names the way out, which is the default."""

    async def main(session: SessionName | None) -> type:
        transport = MQTT(session=session).open(target(transport="mqtt"))
        return transport._writer_type

    assert anyio.run(main, None) is PahoWriter
    for backend in ("asyncio", "trio"):
        assert anyio.run(main, "native", backend=backend) is NativeWriter

    assert anyio.run(main, None, backend="trio") is NativeWriter
    with pytest.raises(ConfigurationError) as caught:
        anyio.run(main, "aiomqtt", backend="trio")

    assert caught.value.setting == "session"
    assert "native" in caught.value.hint
