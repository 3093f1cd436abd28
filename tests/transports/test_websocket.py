"""A WebSocket as a socket: bytes in frames of any form, control frames in between, and its end."""

from __future__ import annotations

import ssl
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol.mqtt_bytes import CONNACK
from tests.scripted.mqtt import takes_connect
from tests.scripted.server import silent, steps
from tests.scripted.sockets import ScriptedSocket
from tests.scripted.websocket import Line, WebSocketServer
from tests.scripted_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType

from aiodps.errors import ConnectionLostError, ProtocolError
from aiodps.protocol.limits import MAX_EMPTY_FRAMES
from aiodps.transports.mqtt import MQTT
from aiodps.transports.websocket import WebSocketSocket


class Peer(ScriptedSocket):
    """A TLS socket that keeps what it is sent; it takes so many bytes at a time, then none once."""

    def __init__(self, *inbound: bytes | OSError, takes: int = 1 << 20) -> None:
        super().__init__(*inbound, takes=takes)
        self.sent = bytearray()
        self.blocks = False

    def send(self, data: bytes) -> int:
        """Take a part; if it was not all, have no room the next time."""
        if self.blocks:
            self.blocks = False
            raise ssl.SSLWantWriteError

        size = super().send(data)
        self.blocks = size < len(data)
        self.sent += data[:size]
        return size

    def frames(self) -> list[tuple[int, bytes]]:
        """Read what was sent: opcodes and payloads."""
        peer = Frames(ConnectionType.SERVER, trailing_data=bytes(self.sent))
        return [(one.opcode, _payload(one.payload)) for one in peer._proto.received_frames()]


def _payload(payload: Any) -> bytes:
    return str(payload).encode() if isinstance(payload, tuple) else bytes(payload)


def over(peer: ScriptedSocket) -> WebSocketSocket:
    """Open the socket over a peer."""
    return WebSocketSocket(cast("ssl.SSLSocket", cast("Any", peer)), Frames(ConnectionType.CLIENT))


def server(opcode: int, payload: bytes = b"", *, end: bool = True) -> bytes:
    """Write a frame as a server does: without a mask."""
    return frame(opcode, payload, end=end, masked=False)


def everything(sock: WebSocketSocket) -> bytes:
    """Read until there is nothing."""
    data = b""
    while True:
        try:
            data += sock.recv(7)
        except ssl.SSLWantReadError:
            return data


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=300), max_size=4), st.data())
def test_bytes_are_spread_in_any_way(messages: list[bytes], data: st.DataObject) -> None:
    """Messages, their frames, and the records they come in need not be where packets are."""
    wire = bytearray()
    for message in messages:
        cut = data.draw(st.integers(0, len(message)))
        wire += server(BINARY, message[:cut], end=False) + server(PONG)
        wire += server(CONTINUATION, message[cut:])

    records = []
    while wire:
        size = data.draw(st.integers(1, len(wire)))
        records.append(bytes(wire[:size]))
        del wire[:size]

    assert everything(over(Peer(*records))) == b"".join(messages)


def test_a_ping_is_answered() -> None:
    """With its own payload, masked, although nothing is read by anybody: also the last of two."""
    peer = Peer(server(PING, b"a") + server(PING, b"b") + server(BINARY, b"x"))

    assert over(peer).recv(10) == b"x"
    assert peer.frames() == [(PONG, b"b")]


def test_a_pong_waits_for_the_frame_before_it() -> None:
    """A message that was sent in part is completed first, and is not sent twice."""
    peer = Peer(server(PING, b"a"), takes=4)
    sock = over(peer)
    with pytest.raises(ssl.SSLWantWriteError):
        sock.send(b"message")

    assert everything(sock) == b""
    for _ in range(20):
        try:
            assert sock.send(b"message") == 7
        except ssl.SSLWantWriteError:
            continue

        break

    assert peer.frames() == [(BINARY, b"message"), (PONG, b"a")]


def test_data_before_the_close_frame_is_read() -> None:
    """What the server said comes first, then that it closed, and why; `pending` tells both."""
    peer = Peer(server(BINARY, b"x") + server(CLOSE, (1008).to_bytes(2) + b"no \x1b such device"))
    sock = over(peer)

    assert sock.recv(1) == b"x"
    assert sock.pending()
    for use in (lambda: sock.recv(1), lambda: sock.send(b"y")):
        with pytest.raises(ConnectionLostError) as caught:
            use()

        assert "1008" in caught.value.message
        assert "such device" in caught.value.message
        assert "\x1b" not in caught.value.message

    assert [opcode for opcode, _ in peer.frames()] == [CLOSE]


@pytest.mark.parametrize(
    ("end", "error"),
    [
        pytest.param(server(CLOSE, (1001).to_bytes(2)), ConnectionLostError, id="closed"),
        pytest.param(server(TEXT, b"hello"), ProtocolError, id="violated"),
    ],
)
def test_a_ping_before_the_end(end: bytes, error: type[Exception]) -> None:
    """Nothing may follow a close frame, so a ping in the same record stays without its pong."""
    peer = Peer(server(PING, b"a") + end)
    with pytest.raises(error):
        over(peer).recv(1)

    assert [opcode for opcode, _ in peer.frames()] == [CLOSE]


def test_a_close_frame_without_a_code() -> None:
    """It need not have one."""
    with pytest.raises(ConnectionLostError):
        over(Peer(server(CLOSE))).recv(1)


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        pytest.param(server(TEXT, b"hello"), "text message", id="text"),
        pytest.param(frame(BINARY, b"x"), "masked", id="masked"),
        pytest.param(b"\xc2\x01x", "Reserved bit", id="compressed"),
        pytest.param(b"\x83\x00", "opcode", id="opcode"),
        pytest.param(b"\x09\x00", "fragment", id="split-ping"),
        pytest.param(b"\x89\x7e\x00\x7e", "125", id="long-ping"),
        pytest.param(server(CONTINUATION, b"x"), "CONTINUATION", id="continuation"),
        pytest.param(server(CLOSE, b"\x03"), "1 byte", id="close"),
        pytest.param(b"\x82\x7f" + b"\xff" * 8, "MSB", id="length"),
        pytest.param(server(TEXT, b"\xff"), "decode", id="utf-8"),
        pytest.param(server(PONG) * (MAX_EMPTY_FRAMES + 1), "without data", id="pongs"),
        pytest.param(
            server(BINARY, end=False) + server(CONTINUATION, end=False) * MAX_EMPTY_FRAMES,
            "without data",
            id="empty",
        ),
    ],
)
def test_violations(wire: bytes, said: str) -> None:
    """What no server may send ends the connection, with a close frame that says so."""
    peer = Peer(*(wire[at : at + 16384] for at in range(0, len(wire), 16384)))
    with pytest.raises(ProtocolError, match=said) as caught:
        over(peer).recv(1)

    assert caught.value.reason == "websocket"
    assert [opcode for opcode, _ in peer.frames()] == [CLOSE]


def test_a_frame_is_never_held() -> None:
    """One of 2**62 bytes is as good as any: its bytes are passed on as they come."""
    head = b"\x82\x7f" + (2**62).to_bytes(8)

    assert everything(over(Peer(head, b"x" * 1000, b"y" * 1000))) == b"x" * 1000 + b"y" * 1000


def test_the_end_without_a_word() -> None:
    """An end of TLS is an end."""
    assert over(Peer(b"")).recv(1) == b""


@pytest.mark.sockets
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_it_is_closed_in_order() -> None:
    """DISCONNECT and a close frame are the last that the server reads; what came early is read."""

    def script(line: Line) -> None:
        line.upgrade(behind=server(PING, b"early"))
        steps(takes_connect, CONNACK)(line)
        line.send(b"\x90\x03" + line.expect(0x82)[:2] + b"\1")
        assert line.rest()[-1] == 0xE0

    class Late(Line):
        """Leaves the upgrade to the script."""

        def secure(self, context: Any) -> None:
            """Do the TLS handshake only."""
            super(Line, self).secure(context)

    class Server(WebSocketServer):
        """Its lines."""

        line = Late

    with Server(script, silent) as peer:
        transport = MQTT(port=peer.port, websocket=True).open(peer.target())
        await transport.connect()
        transport.close()

    line = cast("Late", peer.lines[0])
    assert line.frames == [(PONG, b"early"), (CLOSE, (1000).to_bytes(2))]
    assert line.head.startswith("GET /$iothub/websocket HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{peer.port}" in line.head
    assert "Origin" not in line.head
