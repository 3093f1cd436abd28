"""Scripted servers that speak MQTT over WebSocket; frames are read and written by hand."""

from __future__ import annotations

import base64
import hashlib

from OpenSSL import SSL
from tests.scripted import mqtt, server
from tests.scripted.server import Script
from tests.scripted_client import BINARY, CLOSE, frame

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Line(mqtt.Line):
    """One connection, as a script sees it: what it reads and sends is in binary messages."""

    def __init__(self, *words: object) -> None:
        super().__init__(*words)  # type: ignore[arg-type]  # a socket
        self.head = ""
        """The request for the upgrade."""
        self.frames: list[tuple[int, bytes]] = []
        """Control frames of the client: opcode and payload."""
        self._ahead = b""
        self._payload = b""
        self._upgraded = False

    def secure(self, context: SSL.Context) -> None:
        """Do the TLS handshake, and answer the upgrade."""
        super().secure(context)
        self.upgrade()

    def upgrade(self, *, behind: bytes = b"") -> None:
        """Read the request and accept it; `behind` is sent in the same TLS record."""
        while b"\r\n\r\n" not in self._ahead and self._more():
            pass

        head, _, self._ahead = self._ahead.partition(b"\r\n\r\n")
        self.head = head.decode()
        if self.head:
            server.Line.send(self, accepting(self.head), behind)
            self._upgraded = True

    def raw(self, *parts: bytes) -> None:
        """Send bytes as they are, such as frames, in one piece."""
        server.Line.send(self, *parts)

    def send(self, *parts: bytes) -> None:
        """Send bytes as one message; before the upgrade, as they are."""
        data = b"".join(parts)
        self.raw(frame(BINARY, data, masked=False) if self._upgraded else data)

    def read(self, size: int = 65536) -> bytes:
        """Read what binary messages contain; b"" if the client has closed the connection."""
        while not self._payload:
            if not self._frame():
                return b""

        chunk, self._payload = self._payload[:size], self._payload[size:]
        return chunk

    def _frame(self) -> bool:
        """Read one frame, which has to be masked; False at the end."""
        head = self._bytes(2)
        if not head:
            return False

        first, length = head
        assert length & 0x80, "the client has sent a frame without a mask"
        length &= 0x7F
        if length > 125:
            length = int.from_bytes(self._bytes(2 if length == 126 else 8))

        mask, masked = self._bytes(4), self._bytes(length)
        opcode, payload = (
            first & 0x0F,
            bytes(a ^ b for a, b in zip(masked, mask * (length // 4 + 1), strict=False)),
        )
        if opcode >= CLOSE:
            self.frames.append((opcode, payload))
        else:
            self._payload += payload

        return True

    def _bytes(self, size: int) -> bytes:
        while len(self._ahead) < size:
            if not self._more():
                return b""

        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data

    def _more(self) -> bool:
        data = super().read()
        self._ahead += data
        return bool(data)


def accepting(head: str, subprotocol: str = "Sec-WebSocket-Protocol: mqtt\r\n") -> bytes:
    """Write the answer that accepts an upgrade."""
    key = head.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
    digest = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()  # noqa: S324
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {digest}\r\n{subprotocol}\r\n"
    ).encode()


class WebSocketServer(mqtt.MqttServer):
    """A server whose scripts get a `Line`, upgraded already; with TLS."""

    line = Line  # type: ignore[assignment]  # whose method reads frames
    transport = "mqtt-ws"


def frames(*each: bytes) -> Script:
    """Send frames, or whatever else these bytes are."""
    return lambda line: line.raw(*each)
