"""The MQTT transport against a peer that says anything, on real sockets with real TLS."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from tests.protocol.mqtt_bytes import CONNACK, PINGRESP, packet, puback, publish, suback, text
from tests.transports.mqtt_peer import Line, Peer, Script, server_context

from aiodps.errors import (
    BadRequestError,
    ClientCertificateRejectedError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    MalformedResponseError,
    ProtocolError,
    ProvisioningError,
    ResponseTooLargeError,
    ServiceUnavailableError,
    TransportTimeoutError,
    UnauthorizedError,
)
from aiodps.models import Phase
from aiodps.observe import Observer, Step, StepKind
from aiodps.protocol.limits import MAX_IGNORED_MESSAGES, MAX_PACKET
from aiodps.protocol.messages import QueryStatus, Register
from aiodps.transports import mqtt
from aiodps.transports.mqtt import MQTT, MqttTransport

pytestmark = pytest.mark.anyio

AT_ONCE = 3.0
"""Seconds; far below every time-out, far above what loopback needs."""

RES = "$dps/registrations/res/"


@pytest.fixture
def anyio_backend() -> str:
    """MQTT runs on asyncio only."""
    return "asyncio"


@asynccontextmanager
async def open_to(
    peer: Peer, observer: Observer | None = None, **settings: Any
) -> AsyncIterator[MqttTransport]:
    """Give a transport to the peer, not connected, and close it at the end."""
    transport = MQTT(port=peer.port, **settings).open(peer.target(observer))
    try:
        yield transport
    finally:
        await transport.aclose()


def assigning(line: Line) -> None:
    """Take a session, answer every request with 202."""
    line.accept()
    while True:
        line.send(line.request().answer(202, more="&retry-after=3"))


# What goes well.


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

        seen.append(line.drain())

    with Peer([script]) as peer:
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
    assert peer.connections == 1


async def test_steps() -> None:
    """Steps tell each phase with its time and each packet, with the custom payload masked."""
    steps: list[Step] = []
    with Peer([assigning]) as peer:
        async with open_to(peer, steps.append) as transport:
            await transport.connect()
            await transport.exchange(Register({"key": "secret"}))

    told = [(step.kind.value, step.phase.value, step.text.split()[:1]) for step in steps]
    timed = {step.kind for step in steps if step.took is not None}

    assert [step for step in told if step[0] not in {"sent", "received"}] == [
        ("resolved", "dns", []),
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

    with Peer([script]) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            answers = [await transport.exchange(QueryStatus("op")) for _ in range(30)]

    assert {answer.body for answer in answers} == {b"x" * 20}


@pytest.mark.parametrize("status", [200, 202, 301, 400, 401, 404, 429, 500, 503, 799])
async def test_any_status_is_a_response(status: int) -> None:
    """Whatever the status, it is an answer and no error."""

    def script(line: Line) -> None:
        line.accept()
        line.send(line.request().answer(status, b"why"))
        line.drain()

    with Peer([script]) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            answer = await transport.exchange(Register())

    assert (answer.status_code, answer.body) == (status, b"why")


async def test_largest_answer_and_request() -> None:
    """A packet of the limit passes, and a request that does not fit into the socket at once."""

    def script(line: Line) -> None:
        line.accept()
        asked = line.request()
        room = MAX_PACKET - len(asked.answer(200, b"x" * 100_000)) + 100_000
        line.send(asked.answer(200, b"x" * room))
        line.drain()

    with Peer([script]) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            sock = transport._session._socket._socket  # type: ignore[union-attr]
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            answer = await transport.exchange(Register({"x": "y" * 90_000}))

    assert len(answer.body) > MAX_PACKET - 100


# What ends a session before it began.


def connack(data: str, then: str = "drain") -> Script:
    """Answer CONNECT with these bytes."""

    def script(line: Line) -> None:
        line.expect(0x10)
        line.send(bytes.fromhex(data))
        if then == "drain":
            line.drain()

    return script


def subscribed(reply: Callable[[bytes], bytes]) -> Script:
    """Take the session, answer SUBSCRIBE with these bytes."""

    def script(line: Line) -> None:
        line.expect(0x10)
        line.send(CONNACK)
        line.send(reply(line.expect(0x82)[:2]))
        line.drain()

    return script


def hang_up(line: Line) -> None:
    """Close after CONNECT."""
    line.expect(0x10)


def reset(line: Line) -> None:
    """Close with RST after CONNECT."""
    line.expect(0x10)
    line.reset()


def silent(line: Line) -> None:
    """Never answer."""
    line.drain()


@pytest.mark.parametrize(
    ("script", "kind", "facts"),
    [
        pytest.param(connack("20020001"), ProtocolError, {"reason": "version"}, id="M03"),
        pytest.param(connack("20020002"), BadRequestError, {"status_code": 400}, id="M04"),
        pytest.param(connack("20020003"), ServiceUnavailableError, {"status_code": 503}, id="M05"),
        pytest.param(connack("20020004"), UnauthorizedError, {"status_code": 401}, id="M06"),
        pytest.param(
            connack("20020005", "close"), UnauthorizedError, {"status_code": 401}, id="M07"
        ),
        pytest.param(connack("20020006"), ProtocolError, {"reason": "connack"}, id="M08"),
        pytest.param(connack("200200ff"), ProtocolError, {"reason": "connack"}, id="M08-255"),
        pytest.param(connack("20020100"), ProtocolError, {"reason": "connack"}, id="M09"),
        pytest.param(connack("20020200"), ProtocolError, {"reason": "connack"}, id="M10-flags"),
        pytest.param(connack("200100"), ProtocolError, {"reason": "connack"}, id="M10-length"),
        pytest.param(connack("9003000101"), ProtocolError, {"reason": "connack"}, id="M10-first"),
        pytest.param(connack("485454"), ProtocolError, {"reason": "connack"}, id="M10-http"),
        pytest.param(connack("20020000 20020000"), ProtocolError, {"reason": "connack"}, id="M11"),
        pytest.param(hang_up, ConnectionLostError, {}, id="M12-fin"),
        pytest.param(reset, ConnectionLostError, {}, id="M12-rst"),
        pytest.param(connack("2002", "close"), ConnectionLostError, {}, id="M12-cut"),
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
    began = time.monotonic()
    with Peer([script]) as peer:
        async with open_to(peer) as transport:
            with pytest.raises(kind) as caught:
                await transport.connect()

    assert type(caught.value) is kind
    assert caught.value.phase is Phase.SESSION
    assert {name: getattr(caught.value, name) for name in facts} == facts
    assert time.monotonic() - began < AT_ONCE


@pytest.mark.parametrize(
    ("script", "limit"),
    [
        pytest.param(silent, "CONNACK_TIMEOUT", id="M02"),
        pytest.param(connack("20020000"), "SUBACK_TIMEOUT", id="M16"),
    ],
)
async def test_silence(script: Script, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that does not answer CONNECT or SUBSCRIBE is left after a time."""
    monkeypatch.setattr(mqtt, limit, 0.1)
    with Peer([script]) as peer:
        async with open_to(peer) as transport:
            with pytest.raises(TransportTimeoutError) as caught:
                await transport.connect()

    assert caught.value.phase is Phase.SESSION


async def test_client_certificate_refused() -> None:
    """M13: a TLS 1.3 alert, which arrives after the handshake, is told as what it is."""
    context = server_context(client_certificate=True)
    with Peer([silent], context=context) as peer:
        async with open_to(peer) as transport:
            with pytest.raises(ClientCertificateRejectedError) as caught:
                await transport.connect()

    assert context.maximum_version is not ssl.TLSVersion.TLSv1_2
    assert caught.value.reason == "certificate_required"
    assert isinstance(caught.value.__cause__, ssl.SSLError)


async def test_nobody_there() -> None:
    """A port on which nobody listens is a connect error, and connect may be called again."""
    peer = Peer([assigning])
    transport = MQTT(port=peer.port).open(peer.target())
    with peer:
        pass

    for _ in range(2):
        with pytest.raises(ConnectError):
            await transport.connect()


# What ends an exchange.


def answering(reply: Callable[[str], bytes]) -> Script:
    """Answer the first request with these bytes, made from its `$rid`."""

    def script(line: Line) -> None:
        line.accept()
        line.send(reply(line.request().rid))
        line.drain()

    return script


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
    began = time.monotonic()
    with Peer([answering(reply), assigning]) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            with pytest.raises(kind) as caught:
                await transport.exchange(Register())

            await transport.connect()

    assert type(caught.value) is kind
    assert caught.value.reason == reason
    assert caught.value.phase is Phase.REGISTER
    assert time.monotonic() - began < AT_ONCE
    assert peer.connections == 2


async def test_too_large_answer_is_not_held() -> None:
    """M18: an answer of 50 MB is refused by its header; its bytes are not taken in."""
    header = packet(0x32, bytes(50_000_000))[:5]
    megabyte = bytes(1_000_000)

    def script(line: Line) -> None:
        line.accept()
        line.send(header + text(f"{RES}200/?$rid={line.request().rid}"))
        while True:
            line.sock.sendall(megabyte)

    with Peer([script]) as peer:
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

    with Peer([script, assigning]) as peer:
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
        line.sock.shutdown(socket.SHUT_WR)
        gone.set()

    return script


async def test_lost_between_two_exchanges() -> None:
    """A connection that breaks while the registration waits is noticed by the next connect."""
    gone = threading.Event()
    with Peer([vanishing(gone), assigning]) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            await transport.exchange(Register())
            # The loop sends PUBACK, then stands still: only connect itself can notice.
            await asyncio.sleep(0)
            assert gone.wait(AT_ONCE)
            await transport.connect()
            answer = await transport.exchange(QueryStatus("op"))

    assert answer.status_code == 202
    assert peer.connections == 2


async def test_exchange_on_a_lost_connection() -> None:
    """An exchange on a connection that broke while nobody waited is told at once."""
    gone = threading.Event()
    with Peer([vanishing(gone)]) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            await transport.exchange(Register())
            session = transport._session
            with anyio.fail_after(AT_ONCE):
                while session is not None and session.look():  # noqa: ASYNC110 (it tells nobody)
                    await anyio.sleep(0.01)

            with pytest.raises(ConnectionLostError):
                await transport.exchange(QueryStatus("op"))


# What is left alone.


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
    with Peer([script]) as peer:
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
    with Peer([script]) as peer:
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
    began = time.monotonic()
    with Peer([script]) as peer:
        async with open_to(peer, steps.append) as transport:
            await transport.connect()
            with pytest.raises(ConnectionLostError):
                await transport.exchange(Register())

    ignored = [step for step in steps if step.kind is StepKind.IGNORED]

    assert len(ignored) == MAX_IGNORED_MESSAGES + 1
    assert time.monotonic() - began < AT_ONCE


# Keep-alive.


async def test_keep_alive() -> None:
    """A waiting registration pings, and its connection is the same afterwards."""

    def script(line: Line) -> None:
        line.accept()
        line.expect(0xC0)
        line.send(PINGRESP, PINGRESP)
        line.send(line.request().answer(200))
        line.drain()

    answered = anyio.Event()
    ignored = []

    def observe(step: Step) -> None:
        if step.kind is StepKind.IGNORED:
            ignored.append(step)

        if step.text == "PINGRESP":
            answered.set()

    with Peer([script]) as peer:
        async with open_to(peer, observe, keep_alive=1) as transport:
            await transport.connect()
            await answered.wait()
            await transport.connect()
            answer = await transport.exchange(QueryStatus("op"))

    assert answer.status_code == 200
    assert peer.connections == 1
    assert len(ignored) == 1, "the second PINGRESP, which nobody asked for"


async def test_ping_without_answer() -> None:
    """M38: a peer that is gone without a word is noticed by its silence."""

    def script(line: Line) -> None:
        line.accept()
        line.drain()

    began = time.monotonic()
    with Peer([script]) as peer:
        async with open_to(peer, keep_alive=1) as transport:
            await transport.connect()
            with pytest.raises(ConnectionLostError, match="keep alive"):
                await transport.exchange(QueryStatus("op"))

    assert time.monotonic() - began < 1.0 + 1.5 + 0.5


# The end.


async def test_aclose_at_any_time() -> None:
    """Closing is polite, may come twice, before connecting, and while somebody waits."""
    asked = threading.Event()

    def script(line: Line) -> None:
        line.accept()
        line.request()
        asked.set()
        assert line.drain()[-1] == 0xE0

    with Peer([script]) as peer:
        async with open_to(peer) as transport:
            await transport.aclose()
            with pytest.raises(ConnectionLostError):
                await transport.exchange(Register())

            await transport.connect()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(close_when, asked, transport)
                with pytest.raises(ConnectionLostError):
                    await transport.exchange(Register())

            await transport.aclose()


async def close_when(asked: threading.Event, transport: MqttTransport) -> None:
    """Close the transport while another task waits in it."""
    while not asked.is_set():  # noqa: ASYNC110 (the peer is a thread)
        await anyio.sleep(0.01)

    await transport.aclose()


def traces() -> tuple[object, ...]:
    """List what could be left behind: tasks, file descriptors, threads, watched descriptors."""
    loop = asyncio.get_running_loop()
    return (
        {task for task in asyncio.all_tasks() if not task.done()},
        sorted(os.listdir("/proc/self/fd")),  # noqa: PTH208 (numbers, not paths)
        threading.active_count(),
        sorted(loop._selector.get_map()),  # type: ignore[attr-defined]
        [handle for handle in loop._scheduled if not handle._cancelled],  # type: ignore[attr-defined]
    )


class CancelAt:
    """Runs a coroutine and cancels the task that runs it at the k-th place where it waits."""

    def __init__(self, work: Awaitable[None], k: int) -> None:
        self._work = work
        self._k = k
        self.reached = False

    def __await__(self) -> Generator[Any, Any, None]:
        """Pass everything through, and count."""
        steps = self._work.__await__()
        count = 0
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited = steps.throw(error) if error is not None else steps.send(value)
            except StopIteration:
                return

            if count == self._k:
                self.reached = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()

            count += 1
            value, error = None, None
            try:
                value = yield waited
            except BaseException as exc:  # noqa: BLE001 (passed on)
                error = exc


async def flow(transport: MqttTransport) -> None:
    """Connect, register, poll; and close as the driver does."""
    try:
        await transport.connect()
        await transport.exchange(Register())
        await transport.exchange(QueryStatus("op"))
    finally:
        await transport.aclose()


@pytest.mark.parametrize("closing", [True, False], ids=["closed", "not-closed"])
async def test_cancelled_at_every_await(*, closing: bool) -> None:
    """Cancelled wherever it waits, the transport leaves nothing, even if nobody closes it."""

    async def without_closing(transport: MqttTransport) -> None:
        await transport.connect()
        await transport.exchange(Register())
        await transport.exchange(QueryStatus("op"))

    with Peer([assigning]) as warm:
        async with open_to(warm) as transport:
            await flow(transport)

    for k in range(100):
        before = traces()
        with Peer([assigning]) as peer:
            transport = MQTT(port=peer.port).open(peer.target())
            work = CancelAt(flow(transport) if closing else without_closing(transport), k)
            task = asyncio.ensure_future(work)
            await asyncio.wait([task])
            if not work.reached:
                await transport.aclose()

        assert task.cancelled() == work.reached
        del task
        assert traces() == before
        if not work.reached:
            break

    assert k >= 5


async def test_cancelled_in_the_middle_of_a_packet() -> None:
    """A request that the peer does not read can be cancelled like any other."""
    done = threading.Event()

    def script(line: Line) -> None:
        line.accept()
        done.wait(AT_ONCE)

    before = traces()
    with Peer([script]) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            sock = transport._session._socket._socket  # type: ignore[union-attr]
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            with anyio.move_on_after(0.1) as limit:
                while True:
                    await transport.exchange(Register({"x": "y" * 1_000_000}))

        done.set()

    assert limit.cancelled_caught
    assert traces() == before


async def test_silent_peers_delay_nobody() -> None:
    """A hundred peers that accept and say nothing do not delay a healthy device; no thread."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as mute, Peer([assigning]) as peer:
        silent_port = mute.getsockname()[1]
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                transport = MQTT(port=silent_port).open(peer.target())
                tasks.start_soon(transport.connect)

            await anyio.sleep(0.3)
            threads = threading.active_count()
            began = time.monotonic()
            async with open_to(peer) as healthy:
                await healthy.connect()
                await healthy.exchange(Register())

            took = time.monotonic() - began
            tasks.cancel_scope.cancel()

    assert took < AT_ONCE
    assert threads <= 4


async def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What paho and aiomqtt have to say reaches nobody's log, at any level."""
    caplog.set_level(0)
    with Peer([reset, answering(about("200/?$rid")), assigning]) as peer:
        async with open_to(peer) as transport:
            with pytest.raises(ConnectionLostError):
                await transport.connect()

            await transport.connect()
            with pytest.raises(MalformedResponseError):
                await transport.exchange(Register())

            await transport.connect()

    assert not [record for record in caplog.records if record.name != "asyncio"]


# Settings.


def test_defaults() -> None:
    """The defaults are those of the service."""
    settings = MQTT()

    assert settings.name == "mqtt"
    assert (settings.port, settings.api_version, settings.keep_alive) == (8883, "2019-03-31", 60)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": "8883"}, "port"),
        ({"keep_alive": -1}, "keep_alive"),
    ],
)
def test_impossible_settings(settings: dict[str, Any], name: str) -> None:
    """What MQTT or TCP cannot say is refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        MQTT(**settings)

    assert caught.value.setting == name


def test_on_trio() -> None:
    """On trio the transport says what it needs and names the way out."""
    peer = Peer([silent])

    async def main() -> None:
        MQTT(port=peer.port).open(peer.target())

    with peer, pytest.raises(ConfigurationError) as caught:
        anyio.run(main, backend="trio")

    assert caught.value.setting == "transport"
    assert "rest" in caught.value.hint
