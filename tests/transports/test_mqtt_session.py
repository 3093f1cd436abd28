"""A session over its connection: its keep-alive, and how it ends; in packets of our own."""

from __future__ import annotations

import gc
import socket
import ssl
import traceback
import weakref
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest
from tests.protocol.mqtt_bytes import CONNACK, PINGRESP
from tests.scripted.mqtt import Line, MqttServer, assigning, open_to, takes_connect
from tests.scripted.server import Script, silent, steps
from tests.scripted.sockets import ScriptedSocket
from tests.transports.conformance import EACH_SESSION
from tests.virtual_time import jump, on_both_loops

from aiodps.errors import (
    ConnectionLostError,
    TlsProtocolError,
    TransportTimeoutError,
    UnauthorizedError,
)
from aiodps.models import Phase
from aiodps.network.dial import Connection
from aiodps.observe import Reporter, Step, StepKind
from aiodps.protocol.messages import Register
from aiodps.transports import mqtt, mqtt_session
from aiodps.transports.conversation import Conversation
from aiodps.transports.mqtt_session import MqttSession
from aiodps.transports.native_writer import NativeWriter

pytestmark = pytest.mark.anyio
sockets = pytest.mark.sockets


def session_over(sock: ScriptedSocket) -> MqttSession:
    """Open a session over a scripted socket; it waits for nothing."""
    connection = Connection(cast("ssl.SSLSocket", cast("Any", sock)), "dps.example.test")
    writer = NativeWriter(client_id="dev1", user_name="u", password=None, keep_alive=0)
    talk = Conversation(writer, registration_id="dev1", report=Reporter("dev1", "mqtt"))
    return MqttSession(connection, talk, keep_alive=0)


async def test_last_words_are_heard() -> None:
    """When writing fails, what the peer said before it closed is the error, not the pipe."""
    pipe = BrokenPipeError(32, "broken")
    session = session_over(ScriptedSocket(bytes.fromhex("20020005"), takes=pipe))
    with pytest.raises(UnauthorizedError):
        await session.open()

    mute = session_over(ScriptedSocket(takes=pipe))
    with pytest.raises(ConnectionLostError) as caught:
        await mute.open()

    assert caught.value.__cause__ is pipe


async def test_never_opened() -> None:
    """A session that was never opened can be closed, and says nothing."""
    sock = ScriptedSocket(takes=AssertionError())  # type: ignore[arg-type]
    session = session_over(sock)
    session.close()
    session.close()

    assert sock.closed
    assert not session.is_alive()
    with pytest.raises(ConnectionLostError, match="by this side"):
        await session.open()


@sockets
@EACH_SESSION
@pytest.mark.usefixtures("session")
async def test_a_password_that_cannot_be_sent_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even by a traceback with locals, of the error or of its cause."""

    def shut(connection: Any, talk: Conversation, **more: Any) -> MqttSession:
        socket.socket.shutdown(connection.socket, socket.SHUT_WR)
        return MqttSession(connection, talk, **more)

    monkeypatch.setattr(mqtt, "MqttSession", shut)
    with MqttServer(silent) as peer:
        async with open_to(peer, sas="-".join("secret")) as transport:
            with pytest.raises((ConnectionLostError, TlsProtocolError)) as caught:
                await transport.connect()

    whole = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert isinstance(caught.value.__cause__, OSError)
    assert "s-e-c-r-e-t" not in "".join(whole.format())


@sockets
@EACH_SESSION
@pytest.mark.usefixtures("session")
async def test_a_closed_session_is_freed_at_once() -> None:
    """It is in no cycle, which would keep the memory of TLS until the garbage is collected."""
    with MqttServer(assigning) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            await transport.exchange(Register())
            assert transport._session is not None
            session = weakref.ref(transport._session)
            gc.disable()
            try:
                transport.close()

                assert session() is None
            finally:
                gc.enable()


@sockets
@on_both_loops
@pytest.mark.parametrize(
    ("script", "question", "answer"),
    [
        pytest.param(silent, "CONNECT", "CONNACK", id="M02"),
        pytest.param(steps(takes_connect, CONNACK, silent), "SUBSCRIBE", "SUBACK", id="M16"),
    ],
)
async def test_a_silent_service(script: Script, question: str, answer: str) -> None:
    """One that does not answer CONNECT or SUBSCRIBE is left after a time."""

    def observe(step: Step) -> None:
        if step.kind is StepKind.SENT and step.text.startswith(question):
            jump(mqtt_session.OPEN_TIMEOUT)

    with MqttServer(script) as peer:
        async with open_to(peer, observe, session="native") as transport:
            with pytest.raises(TransportTimeoutError, match=f"no {answer} ") as caught:
                await transport.connect()

    assert caught.value.phase is Phase.SESSION


@sockets
@on_both_loops
async def test_keep_alive() -> None:
    """A waiting registration pings, and its connection is the same afterwards."""
    ignored: list[Step] = []

    def script(line: Line) -> None:
        line.accept()
        line.expect(0xC0)
        line.send(PINGRESP, PINGRESP)
        line.send(line.request().answer(200))
        line.drain()

    def observe(step: Step) -> None:
        if step.kind is StepKind.IGNORED:
            ignored.append(step)

    with MqttServer(script) as peer:
        async with open_to(peer, observe, session="native", keep_alive=1000) as transport:
            await transport.connect()
            jump(1001.0)
            await transport.wait_until(anyio.current_time())
            while not ignored:
                await transport.connect()
                await anyio.lowlevel.checkpoint()

            answer = await transport.exchange(Register())

    assert answer.status_code == 200
    assert len(peer.lines) == 1
    assert len(ignored) == 1, "the second PINGRESP, which nobody asked for"


@sockets
@on_both_loops
@pytest.mark.parametrize("waits", [False, True])
async def test_ping_without_answer(waits: bool) -> None:
    """M38: a peer that is gone without a word is noticed by its silence."""

    def observe(step: Step) -> None:
        if step.text.startswith(("PINGREQ", "PUBLISH")):
            jump(1001.0)

    with MqttServer(steps(Line.accept, silent)) as peer:
        async with open_to(peer, observe, session="native", keep_alive=1000) as transport:
            await transport.connect()
            if waits:
                jump(1001.0)
                await transport.wait_until(anyio.current_time() + 1001.0)

            with pytest.raises(ConnectionLostError) as caught:
                await transport.exchange(Register())

    assert "keep alive" in caught.value.message


@sockets
@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_a_mistake_of_ours_reaches_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left waiting for an answer that was not understood."""

    def stumble(*_: object) -> None:
        raise KeyError("mid")

    with MqttServer(Line.accept) as peer:
        async with open_to(peer, session="native") as transport:
            monkeypatch.setattr(Conversation, "receive", stumble)
            with pytest.raises(KeyError):
                await transport.connect()
