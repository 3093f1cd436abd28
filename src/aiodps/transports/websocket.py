"""A WebSocket as a non-blocking socket: what its binary messages contain is one stream of bytes.

One MQTT packet may be spread over messages and frames in any way, with control frames in between
[MQTT 3.1.1, section 6]. Frames are parsed and written by wsproto, which does no input or output;
there is no thread and no second socket. A frame is never held as a whole, so its size does not
matter: whoever reads the bytes has limits of its own.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Protocol

from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason

from aiodps.errors import ConnectionLostError, ProtocolError, ProvisioningError
from aiodps.network.dial import RECORD, Connection
from aiodps.protocol.limits import MAX_EMPTY_FRAMES


class ByteSocket(Protocol):
    """A non-blocking socket, as far as a session needs one; `ssl.SSLSocket` is one."""

    def recv(self, size: int, /) -> bytes:
        """Return what has arrived, or b"" at the end; raise `SSLWantReadError` if nothing has."""

    def send(self, data: bytes | bytearray | memoryview, /) -> int:
        """Send a part and return its size, or raise `SSLWantWriteError`."""

    def pending(self) -> int:
        """Return nonzero if `recv` would return although nothing new arrives."""

    def fileno(self) -> int:
        """Return the file descriptor; negative once closed."""


class ByteConnection(Protocol):
    """An open connection that carries bytes: TLS, or a WebSocket over it."""

    @property
    def socket(self) -> ByteSocket:
        """The non-blocking socket."""

    @property
    def host(self) -> str:
        """The host it leads to, as requested."""

    def close(self) -> None:
        """Close at once; may be called repeatedly, raises nothing."""


class WebSocketConnection:
    """A connection after its upgrade, of which it is the owner from now on."""

    def __init__(self, connection: Connection, frames: Frames) -> None:
        self.socket: WebSocketSocket = WebSocketSocket(connection.socket, frames)
        self.host: str = connection.host
        self._connection = connection

    def close(self) -> None:
        """Close at once, with a close frame if one can be sent without waiting."""
        if self.socket.fileno() >= 0:
            self.socket.send_close(CloseReason.NORMAL_CLOSURE)

        self._connection.close()


class WebSocketSocket:
    """A TLS socket below, the bytes of binary messages above; nothing in it waits."""

    def __init__(self, sock: ssl.SSLSocket, frames: Frames) -> None:
        self._socket = sock
        self._frames = frames
        self._received = bytearray()
        self._end: ProvisioningError | None = None
        self._outgoing = b""
        self._taken = 0
        self._pong: Pong | None = None
        self._empty_frames = 0
        # What the server sent right behind its answer to the upgrade.
        self._take_events()

    def recv(self, size: int, /) -> bytes:
        """Return at most `size` bytes, or b"" if the server closed the connection without a word.

        Raises:
            SSLWantReadError: If nothing has arrived.
            OSError: If the connection was lost.
            ConnectionLostError: If the server has closed the WebSocket.
            ProtocolError: If it violates the protocol.
        """
        while not self._received:
            if self._end is not None:
                raise self._end

            data = self._socket.recv(RECORD)
            if not data:
                return b""

            self._frames.receive_data(data)
            self._take_events()

        chunk = bytes(self._received[:size])
        del self._received[:size]
        return chunk

    def pending(self) -> int:
        """Return nonzero if `recv` would return or raise although nothing new arrives."""
        return len(self._received) or int(self._end is not None) or self._socket.pending()

    def send(self, data: bytes | bytearray | memoryview, /) -> int:
        """Send a message and return its size; all of it, or nothing yet.

        Raises:
            SSLWantWriteError: If a part is still to be sent; call it again with the same data.
            OSError: If the connection was lost.
            ProvisioningError: If the WebSocket has ended.
        """
        if not self._taken:
            if self._end is not None:
                raise self._end

            self._outgoing += self._frames.send(BytesMessage(data=bytes(data)))
            self._taken = len(data)

        self._flush()
        taken, self._taken = self._taken, 0
        return taken

    def fileno(self) -> int:
        """Return the file descriptor, for the event loop to watch."""
        return self._socket.fileno()

    def send_close(self, code: int) -> None:
        """Send a close frame, unless one was sent or it would have to wait; a pong is not owed."""
        if self._frames.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
            self._pong = None
            self._outgoing += self._frames.send(CloseConnection(code=code))
            with contextlib.suppress(OSError):
                self._flush()

    def _flush(self) -> None:
        """Send what is to be sent; then the pong, of which only the latest counts (RFC 6455)."""
        while self._outgoing or self._pong is not None:
            if not self._outgoing and self._pong is not None:
                self._outgoing, self._pong = self._frames.send(self._pong), None

            self._outgoing = self._outgoing[self._socket.send(self._outgoing) :]

    def _take_events(self) -> None:
        for event in self._frames.events():
            self._take(event)
            if self._end is not None:
                return

        if self._pong is not None:
            # If it has to wait or the connection is lost, the next call says so.
            with contextlib.suppress(OSError):
                self._flush()

    def _take(self, event: Event) -> None:
        match event:
            case BytesMessage(data=data) if data:
                self._received += data
                self._empty_frames = 0
                return
            case Ping():
                self._pong = event.response()
            case TextMessage():
                self._fail("a text message", CloseReason.UNSUPPORTED_DATA)
            case CloseConnection(code=code, reason=reason):
                if self._frames.state is ConnectionState.OPEN:  # wsproto has found a violation
                    self._fail(reason or "an invalid frame", code)
                else:
                    self._end = _closed(code, reason)
                    self.send_close(code)

        self._empty_frames += 1
        if self._empty_frames > MAX_EMPTY_FRAMES:
            self._fail(f"{MAX_EMPTY_FRAMES} frames without data", CloseReason.POLICY_VIOLATION)

    def _fail(self, what: str, code: int) -> None:
        self._end = ProtocolError(
            f"the server violates the WebSocket protocol: {what}", reason="websocket"
        )
        self.send_close(code)


def _closed(code: int, reason: str | None) -> ConnectionLostError:
    words = f"{int(code)}, {reason[:120]!a}" if reason else f"{int(code)}"
    return ConnectionLostError(f"the service closed the WebSocket ({words})")
