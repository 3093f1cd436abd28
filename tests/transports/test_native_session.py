"""The native session: what it says without a socket, its keep-alive, and how it ends."""

from __future__ import annotations

import socket
import ssl
import traceback
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.mqtt_bytes import CONNACK, PINGRESP, puback, publish, suback
from tests.scripted.mqtt import Line, MqttServer, open_to
from tests.scripted.server import silent, steps, target
from tests.transports.test_paho_socket import ScriptedSocket
from tests.virtual_time import jump, on_both_loops

from aiodps.errors import ConnectionLostError, TlsProtocolError, UnauthorizedError
from aiodps.network.dial import Connection
from aiodps.observe import Reporter, Step, StepKind
from aiodps.protocol.messages import Register, Response
from aiodps.protocol.mqtt_packets import Connack, Publish, Subscribe, read_packet
from aiodps.transports.native_session import Conversation, NativeSession

pytestmark = pytest.mark.anyio
sockets = pytest.mark.sockets


def said(talk: Conversation) -> list[Any]:
    """Take out what is to be sent."""
    packets, talk.outgoing = talk.outgoing, []
    return [read_packet(packet) for packet in packets]


def answer(talk: Conversation) -> object:
    """Return what has been answered."""
    return talk.answer


def in_pieces(data: st.DataObject, stream: bytes) -> list[bytes]:
    """Cut bytes anywhere."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@settings(max_examples=25)
@given(st.data())
def test_a_conversation_however_its_bytes_are_cut(data: st.DataObject) -> None:
    """Its answers are the same, and nothing of the next one is taken for the last one's."""
    talk = Conversation(Reporter("dev1", "mqtt"))
    for piece in in_pieces(data, CONNACK):
        assert answer(talk) is None
        talk.receive(piece)

    assert answer(talk) == Connack(session_present=False, code=0)
    talk.subscribe()
    (subscribe,) = said(talk)
    assert isinstance(subscribe, Subscribe)
    talk.receive(suback(subscribe.packet_id.to_bytes(2, "big")))
    assert answer(talk) is not None

    talk.request(Register(), registration_id="dev1")
    (register,) = said(talk)
    assert isinstance(register, Publish)
    rid = register.topic.partition("$rid=")[2]
    response = publish(f"$dps/registrations/res/202/?$rid={rid}&retry-after=3", b"{}")
    for piece in in_pieces(data, puback(register.packet_id.to_bytes(2, "big")) + response):
        assert answer(talk) is None
        talk.receive(piece)

    assert answer(talk) == Response(status_code=202, body=b"{}", retry_after=3.0)


def test_an_acknowledgement_goes_with_the_next_request() -> None:
    """It is one write, and one record."""
    talk = Conversation(Reporter("dev1", "mqtt"))
    talk.receive(CONNACK + publish("x"))
    talk.request(Register(), registration_id="dev1")

    assert [type(packet).__name__ for packet in said(talk)] == ["Puback", "Publish"]


def test_packet_ids_begin_anew() -> None:
    """After 65535 comes 1: 0 is not an id."""
    talk = Conversation(Reporter("dev1", "mqtt"))
    talk._last_packet_id = 0xFFFE
    ids = []
    for _ in range(2):
        talk.request(Register(), registration_id="dev1")
        ids.append(said(talk)[0].packet_id)

    assert ids == [0xFFFF, 1]


def session_over(sock: ScriptedSocket) -> NativeSession:
    """Open a session over a scripted socket; it waits for nothing."""
    connection = Connection(cast("ssl.SSLSocket", cast("Any", sock)), "dps.example.test")
    return NativeSession(
        connection,
        target=target(transport="mqtt"),
        user_name="u",
        password=None,
        keep_alive=0,
    )


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
async def test_a_password_that_cannot_be_sent_is_not_shown() -> None:
    """Not even by a traceback with locals, of the error or of its cause."""
    with MqttServer(silent) as peer:
        async with open_to(peer, sas="SAS", session="native") as transport:
            really = transport._session_type

            def shut(connection: Any, **more: Any) -> Any:
                socket.socket.shutdown(connection.socket, socket.SHUT_WR)
                return really(connection, **{**more, "password": "-".join("secret")})

            transport._session_type = shut  # type: ignore[assignment]
            with pytest.raises((ConnectionLostError, TlsProtocolError)) as caught:
                await transport.connect()

    whole = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert isinstance(caught.value.__cause__, OSError)
    assert "s-e-c-r-e-t" not in "".join(whole.format())


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
