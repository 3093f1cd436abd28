"""What a peer can do wrong over MQTT, each told as what it is, at once; real sockets, real TLS."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable

import anyio.lowlevel
import pytest
from tests.protocol.mqtt_bytes import CONNACK, PINGRESP, packet, puback, publish, suback, text
from tests.scripted.mqtt import Line, MqttServer, assigning, open_to, reset, takes_connect
from tests.scripted.server import LIMIT, Script, silent, steps
from tests.transports.conformance import EACH_SESSION

from aiodps.errors import (
    BadRequestError,
    ConnectionLostError,
    MalformedResponseError,
    ProtocolError,
    ProvisioningError,
    ResponseTooLargeError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from aiodps.models import Phase
from aiodps.observe import Step, StepKind
from aiodps.protocol.limits import MAX_IGNORED_MESSAGES, MAX_PACKET
from aiodps.protocol.messages import QueryStatus, Register

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sockets,
    pytest.mark.usefixtures("session"),
    EACH_SESSION,
]

RES = "$dps/registrations/res/"


def connack(data: str, then: Script = silent) -> Script:
    """Answer CONNECT with these bytes."""
    return steps(takes_connect, bytes.fromhex(data), then)


def subscribed(reply: Callable[[bytes], bytes]) -> Script:
    """Take the session, answer SUBSCRIBE with these bytes."""
    return steps(
        takes_connect, CONNACK, lambda line: line.send(reply(line.expect(0x82)[:2])), silent
    )


@pytest.mark.parametrize(
    ("script", "kind", "facts"),
    [
        pytest.param(connack("20020001"), ProtocolError, {"reason": "version"}, id="M03"),
        pytest.param(connack("20020002"), BadRequestError, {"status_code": 400}, id="M04"),
        pytest.param(connack("20020003"), ServiceUnavailableError, {"status_code": 503}, id="M05"),
        pytest.param(connack("20020004"), UnauthorizedError, {"status_code": 401}, id="M06"),
        pytest.param(
            connack("20020005", Line.end), UnauthorizedError, {"status_code": 401}, id="M07"
        ),
        pytest.param(connack("20020006"), ProtocolError, {"reason": "connack"}, id="M08"),
        pytest.param(connack("200200ff"), ProtocolError, {"reason": "connack"}, id="M08-255"),
        pytest.param(connack("20020100"), ProtocolError, {"reason": "connack"}, id="M09"),
        pytest.param(connack("20020200"), ProtocolError, {"reason": "connack"}, id="M10-flags"),
        pytest.param(connack("200100"), ProtocolError, {"reason": "connack"}, id="M10-length"),
        pytest.param(connack("9003000101"), ProtocolError, {"reason": "connack"}, id="M10-first"),
        pytest.param(connack("485454"), ProtocolError, {"reason": "connack"}, id="M10-http"),
        pytest.param(connack("20020000 20020000"), ProtocolError, {"reason": "connack"}, id="M11"),
        pytest.param(takes_connect, ConnectionLostError, {}, id="M12-fin"),
        pytest.param(reset, ConnectionLostError, {}, id="M12-rst"),
        pytest.param(connack("2002", Line.end), ConnectionLostError, {}, id="M12-cut"),
        pytest.param(
            connack("20020000 30ffffffff01"), ProtocolError, {"reason": "length"}, id="M14"
        ),
        pytest.param(
            subscribed(lambda number: suback(number, 0x80)),
            ProtocolError,
            {"reason": "suback"},
            id="M15",
        ),
        pytest.param(
            subscribed(lambda number: suback(b"\x77\x77")),
            ProtocolError,
            {"reason": "suback"},
            id="M16-wrong-id",
        ),
        pytest.param(
            subscribed(lambda number: CONNACK),
            ProtocolError,
            {"reason": "connack"},
            id="M11-later",
        ),
    ],
)
async def test_no_session(
    script: Script, kind: type[ProvisioningError], facts: dict[str, object]
) -> None:
    """Each way to refuse or break a session is told as what it is, at once."""
    with MqttServer(script) as peer:
        async with open_to(peer) as transport:
            with pytest.raises(kind) as caught:
                await transport.connect()

    assert type(caught.value) is kind
    assert caught.value.phase is Phase.SESSION
    assert {name: getattr(caught.value, name) for name in facts} == facts


def answering(reply: Callable[[str], bytes]) -> Script:
    """Answer the first request with these bytes, made from its `$rid`."""
    return steps(Line.accept, lambda line: line.send(reply(line.request().rid)), silent)


def raw_topic(topic: bytes) -> Callable[[str], bytes]:
    """Publish on a topic, as bytes."""
    return lambda _: packet(0x30, text(topic) + b"{}")


def about(form: str) -> Callable[[str], bytes]:
    """Publish on a topic of answers with the `$rid` of the request in it."""
    return lambda rid: publish(RES + form.format(rid=rid))


MANY = "&".join(f"p{n}=" for n in range(6000))


@pytest.mark.parametrize(
    ("reply", "kind", "reason"),
    [
        pytest.param(
            lambda _: packet(0x30, bytes(MAX_PACKET)), ResponseTooLargeError, "packet", id="M18"
        ),
        pytest.param(lambda _: packet(0x30, b"\0\x50abc"), ProtocolError, "topic", id="M19"),
        pytest.param(raw_topic(b"$dps\xff"), ProtocolError, "topic", id="M20"),
        pytest.param(
            lambda _: packet(0x36, text("a") + b"\0\1"), ProtocolError, "publish", id="M21-qos"
        ),
        pytest.param(raw_topic(b""), ProtocolError, "publish", id="M21-empty"),
        pytest.param(raw_topic(b"$dps/#"), ProtocolError, "publish", id="M21-wildcard"),
        pytest.param(about("abc/?$rid={rid}"), MalformedResponseError, "status", id="M29"),
        pytest.param(about("0/?$rid={rid}"), MalformedResponseError, "status", id="M29-0"),
        pytest.param(about("99/?$rid={rid}"), MalformedResponseError, "status", id="M29-99"),
        pytest.param(about("1000/?$rid={rid}"), MalformedResponseError, "status", id="M29-1000"),
        pytest.param(about("٢٠٠/?$rid={rid}"), MalformedResponseError, "status", id="M29-arabic"),
        pytest.param(about("200/?$rid"), MalformedResponseError, "topic", id="M30"),
        pytest.param(
            about("200/?$rid={rid}&$rid={rid}"), MalformedResponseError, "topic", id="M32"
        ),
        pytest.param(about("200/?$rid={rid}&x=%ff"), MalformedResponseError, "topic", id="M35"),
        pytest.param(about(f"200/?$rid={{rid}}&{MANY}"), ResponseTooLargeError, "topic", id="M36"),
        pytest.param(lambda _: bytes.fromhex("e000"), ProtocolError, "direction", id="M37"),
        pytest.param(lambda _: bytes.fromhex("c000"), ProtocolError, "direction", id="M37-ping"),
        pytest.param(lambda _: bytes.fromhex("62020001"), ProtocolError, "packet", id="pubrel"),
    ],
)
async def test_broken_answers(
    reply: Callable[[str], bytes], kind: type[ProtocolError], reason: str
) -> None:
    """Each way to break the protocol is told as what it is, at once, and closes the connection."""
    with MqttServer(answering(reply), assigning) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            with pytest.raises(kind) as caught:
                await transport.exchange(Register())

            await transport.connect()

    assert type(caught.value) is kind
    assert caught.value.reason == reason
    assert caught.value.phase is Phase.REGISTER
    assert len(peer.lines) == 2


async def test_too_large_answer_is_not_held() -> None:
    """M18: an answer of 50 MB is refused by its header; its bytes are not taken in."""
    header = packet(0x32, bytes(50_000_000))[:5]
    megabyte = bytes(1_000_000)

    def script(line: Line) -> None:
        line.accept()
        line.send(header + text(f"{RES}200/?$rid={line.request().rid}"))
        while True:
            line.send(megabyte)

    with MqttServer(script) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            tracemalloc.start()
            with pytest.raises(ResponseTooLargeError):
                await transport.exchange(Register())

            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()

    assert peak < 2 * MAX_PACKET


@pytest.mark.parametrize("how", ["fin", "rst", "cut"])
async def test_lost_while_waiting_for_an_answer(how: str) -> None:
    """A connection that breaks during an exchange is told at once, and made anew on demand."""

    def script(line: Line) -> None:
        line.accept()
        asked = line.request()
        if how == "cut":
            line.send(asked.answer(200, b"x" * 50)[:-1])
        elif how == "rst":
            line.reset()

    with MqttServer(script, assigning) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            with pytest.raises(ConnectionLostError) as caught:
                await transport.exchange(QueryStatus("op"))

            with pytest.raises(ConnectionLostError):
                await transport.exchange(QueryStatus("op"))

            await transport.connect()
            answer = await transport.exchange(QueryStatus("op"))

    assert caught.value.phase is Phase.POLL
    assert answer.status_code == 202


def vanishing(gone: threading.Event) -> Script:
    """Answer one request, then close."""

    def script(line: Line) -> None:
        line.accept()
        line.send(line.request().answer(202))
        line.take()
        line.end()
        gone.set()

    return script


async def test_lost_between_two_exchanges() -> None:
    """A connection that breaks while the registration waits is noticed by the next connect."""
    gone = threading.Event()
    with MqttServer(vanishing(gone), assigning) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            await transport.exchange(Register())
            # PUBACK is sent, then the loop stands still: only connect itself can notice.
            await transport.wait_until(anyio.current_time())
            assert gone.wait(LIMIT)
            await transport.connect()
            answer = await transport.exchange(QueryStatus("op"))

    assert answer.status_code == 202
    assert len(peer.lines) == 2


async def test_exchange_on_a_lost_connection() -> None:
    """An exchange on a connection that broke while nobody waited is told at once."""
    gone = threading.Event()
    with MqttServer(vanishing(gone)) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            await transport.exchange(Register())
            await transport.wait_until(anyio.current_time())
            session = transport._session
            while session is not None and session.is_alive():
                await anyio.lowlevel.checkpoint()

            with pytest.raises(ConnectionLostError):
                await transport.exchange(QueryStatus("op"))


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(lambda _: publish("devices/dev1/x"), id="M22"),
        pytest.param(lambda rid: publish(f"{RES}200/?$rid={rid}", flags=1), id="M23"),
        pytest.param(lambda _: publish(f"{RES}200/?$rid=other"), id="M25"),
        pytest.param(lambda _: publish(f"{RES}200/?retry-after=3"), id="M26"),
        pytest.param(lambda _: publish(f"{RES}200/"), id="M27"),
        pytest.param(lambda _: publish(RES), id="M28"),
        pytest.param(lambda rid: publish(f"{RES}200/?$rid={rid}=b"), id="M33"),
        pytest.param(lambda rid: publish(f"xx{RES}200/?$rid={rid}"), id="M34"),
        pytest.param(lambda _: puback(b"\x77\x77"), id="puback"),
        pytest.param(lambda _: PINGRESP, id="pingresp"),
    ],
)
async def test_strangers(stranger: Callable[[str], bytes]) -> None:
    """What answers no request of ours is left alone and told; the answer still comes."""

    def script(line: Line) -> None:
        line.accept()
        asked = line.request()
        line.send(stranger(asked.rid), asked.answer(200, b"real"))
        line.drain()

    steps: list[Step] = []
    with MqttServer(script) as peer:
        async with open_to(peer, steps.append) as transport:
            await transport.connect()
            answer = await transport.exchange(Register())

    ignored = [step for step in steps if step.kind is StepKind.IGNORED]

    assert answer.body == b"real"
    assert len(ignored) == 1
    assert ignored[0].text


async def test_late_and_doubled_answers() -> None:
    """M24, M25: the first answer counts; its double, and answers to earlier requests, do not."""

    def script(line: Line) -> None:
        line.accept()
        first = line.request()
        line.send(first.answer(202, b"one"), first.answer(202, b"one again"))
        second = line.request()
        line.send(first.answer(202, b"late"), second.answer(200, b"two"))
        line.drain()

    steps: list[Step] = []
    with MqttServer(script) as peer:
        async with open_to(peer, steps.append) as transport:
            await transport.connect()
            answers = [
                await transport.exchange(Register()),
                await transport.exchange(QueryStatus("op")),
            ]

    assert [answer.body for answer in answers] == [b"one", b"two"]
    assert len([step for step in steps if step.kind is StepKind.IGNORED]) == 2


async def test_flood() -> None:
    """M39: after a hundred strangers the connection is given up, whoever may be waiting."""

    def script(line: Line) -> None:
        line.accept()
        line.request()
        while True:
            line.send(publish("x", qos=0) * 100)

    steps: list[Step] = []
    with MqttServer(script) as peer:
        async with open_to(peer, steps.append) as transport:
            await transport.connect()
            with pytest.raises(ConnectionLostError):
                await transport.exchange(Register())

    ignored = [step for step in steps if step.kind is StepKind.IGNORED]

    assert len(ignored) == MAX_IGNORED_MESSAGES + 1
