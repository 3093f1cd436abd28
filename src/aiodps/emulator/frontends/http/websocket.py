"""MQTT over WebSocket: the payloads of binary messages are one stream of bytes.

As seen on the wire, `azure-iot-device` sends one frame for each MQTT packet, Node spreads a packet
over a dozen messages. Both use the path of IoT Hub; other SDKs use `/`. No extension is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from cryptography.x509 import Certificate
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import (
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import generate_accept_token

from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.connections.timeouts import PeerTimeout
from aiodps.emulator.frontends.http.requests import HttpRequest, RefusedError
from aiodps.emulator.frontends.mqtt.codec import ProtocolViolation

PATHS: Final = frozenset({"/$iothub/websocket", "/"})
SUBPROTOCOL: Final = "mqtt"
MAX_MESSAGE: Final = 160 * 1024
"""Bytes of a message: the longest MQTT packet, and what may follow it."""
MAX_FRAMES: Final = 4096
"""Frames of a message. Clients send one; a small device may split a long message into many."""


def asks_for_websocket(request: HttpRequest) -> bool:
    """Whether the request is an upgrade to WebSocket."""
    return request.method == "GET" and request.headers.get("upgrade", "").lower() == "websocket"


class Handshake:
    """The opening handshake of a WebSocket (RFC 6455, 4.2)."""

    def __init__(self, request: HttpRequest) -> None:
        """Check the request.

        Raises:
            RefusedError: If there is no WebSocket of this kind at the path.
        """
        if unquote(request.target.partition("?")[0]) not in PATHS:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no WebSocket at that path")

        headers = request.headers
        _check("".join(headers.values()).isascii(), "a header that is not ASCII")
        _check("upgrade" in _listed(headers, "connection"), "Connection is not Upgrade")
        _check(headers.get("sec-websocket-version") == "13", "Sec-WebSocket-Version is not 13")
        _check("sec-websocket-key" in headers, "Sec-WebSocket-Key is missing")
        offered = _listed(headers, "sec-websocket-protocol")
        # AMQP clients would wait for minutes.
        _check(SUBPROTOCOL in offered, f"the subprotocol must be {SUBPROTOCOL}: {[*offered]}")
        self._subprotocol = offered[SUBPROTOCOL]
        self._token = generate_accept_token(headers["sec-websocket-key"].encode()).decode()

    async def accept(self, stream: Stream, early: bytes) -> WebSocketStream:
        """Accept the upgrade.

        Args:
            stream: The connection.
            early: Bytes that the client has sent after its request.

        Raises:
            PeerLostError: If the connection broke.
        """
        lines = (
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: WebSocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {self._token}",
            f"Sec-WebSocket-Protocol: {self._subprotocol}",
        )
        await stream.send("\r\n".join((*lines, "", "")).encode())
        return WebSocketStream(stream, Connection(ConnectionType.SERVER, trailing_data=early))


class WebSocketStream:
    """The stream of bytes in the binary messages of a WebSocket."""

    def __init__(self, stream: Stream, frames: Connection) -> None:
        self.peer_timeout: PeerTimeout = stream.peer_timeout
        self.certificates: tuple[Certificate, ...] = stream.certificates
        """The client's certificates, leaf first, as sent; empty if it showed none."""
        self._stream = stream
        self._frames = frames
        self._message_bytes = 0
        self._message_frames = 0
        self._closed = False

    async def receive(self) -> bytes:
        """Return what has arrived, or b"" if the peer has ended the connection properly.

        Raises:
            ProtocolViolation: If the client broke the protocol; it has received a close frame.
            PeerLostError: If the connection broke.
        """
        while not self._closed:
            event = next(self._frames.events(), None)
            if isinstance(event, BytesMessage):
                await self._check_limits(event)
                if event.data:
                    return bytes(event.data)
            elif event is not None:
                await self._handle(event)
            else:
                await self._take_more()

        return b""

    async def send(self, data: bytes) -> None:
        """Send everything, as one message.

        Raises:
            PeerLostError: If the connection broke.
        """
        await self._stream.send(self._frames.send(BytesMessage(data=data)))

    async def linger(self) -> None:
        """Close the WebSocket, and let the peer read the close frame."""
        await self._close(CloseReason.NORMAL_CLOSURE)
        await self._stream.linger()

    def reset(self) -> None:
        """End the connection at once, so that the peer sees it broken (RST)."""
        self._stream.reset()

    async def _take_more(self) -> None:
        data = await self._stream.receive()
        if data:
            self._frames.receive_data(data)
        else:
            self._closed = True

    async def _handle(self, event: Event) -> None:
        match event:
            case Ping():
                await self._stream.send(self._frames.send(event.response()))
            case Pong():
                pass
            case TextMessage():
                await self._fail(CloseReason.UNSUPPORTED_DATA, "a text message")
            case CloseConnection(code=code, reason=reason):
                if self._frames.state is ConnectionState.OPEN:  # wsproto has found a violation
                    await self._fail(CloseReason(code), reason or "broken frames")

                await self._close(CloseReason.NORMAL_CLOSURE)

    async def _check_limits(self, event: BytesMessage) -> None:
        """Enforce the limits of a message."""
        self._message_bytes += len(event.data)
        self._message_frames += event.frame_finished
        if self._message_bytes > MAX_MESSAGE or self._message_frames > MAX_FRAMES:
            await self._fail(CloseReason.MESSAGE_TOO_BIG, "a message of too many bytes or frames")

        if event.message_finished:
            self._message_bytes = self._message_frames = 0

    async def _fail(self, code: CloseReason, reason: str) -> None:
        await self._close(code, reason)
        raise ProtocolViolation(reason)

    async def _close(self, code: CloseReason, reason: str | None = None) -> None:
        if not self._closed:
            self._closed = True
            await self._stream.send(self._frames.send(CloseConnection(code=code, reason=reason)))


def _check(condition: bool, reason: str) -> None:  # noqa: FBT001 (as in `assert`)
    if not condition:
        raise RefusedError(HTTPStatus.BAD_REQUEST, reason)


def _listed(headers: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the items of a header in the client's spelling, by that in lower case."""
    items = [item.strip() for item in headers.get(name, "").split(",")]
    return {item.lower(): item for item in reversed(items)}
