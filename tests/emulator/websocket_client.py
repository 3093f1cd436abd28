"""A WebSocket client without a library: frames by hand, so that they can be wrong."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from tests.emulator.clients import Listener, MqttClient, client_context, connect

from aiodps.emulator import Emulator
from aiodps.pki import Credential

PATH = "/$iothub/websocket"
KEY = base64.b64encode(b"sixteen bytes!!!").decode()
ACCEPT = base64.b64encode(
    hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324
).decode()
HEADERS = (
    "Host: localhost:443",
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-Websocket-Version: 13",
    "Sec-Websocket-Protocol: mqtt",
)
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x11\x22\x33\x44"


def opening(path: str = PATH, headers: Iterable[str] = HEADERS, method: str = "GET") -> bytes:
    """Write the request that begins a WebSocket."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", *headers, "", "")).encode("latin-1")


def without(*names: str, plus: Iterable[str] = ()) -> tuple[str, ...]:
    """Leave headers out, and add others."""
    kept = (line for line in HEADERS if line.partition(":")[0].lower() not in names)
    return (*kept, *plus)


def frame(opcode: int, payload: bytes = b"", *, end: bool = True, masked: bool = True) -> bytes:
    """Write a frame; `end` says that the message ends with it."""
    size = len(payload)
    if size < 126:
        length = bytes((size | 0x80 * masked,))
    elif size < 65536:
        length = bytes((126 | 0x80 * masked,)) + size.to_bytes(2)
    else:
        length = bytes((127 | 0x80 * masked,)) + size.to_bytes(8)

    head = bytes((opcode | 0x80 * end,)) + length
    if not masked:
        return head + payload

    return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


class WebSocketClient(Listener):
    """Reads frames."""

    async def head(self) -> str:
        """Read the answer to the opening request, in which case counts little."""
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += await self.stream.receive()

        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head.decode()

    async def frame(self) -> tuple[int, bytes]:
        """Read one frame that is not split: its opcode and its payload."""
        first, length = await self._exactly(2)
        assert first & 0xF0 == 0x80  # the last of its message, and no extension
        if length == 126:
            length = int.from_bytes(await self._exactly(2))

        return first & 0x0F, await self._exactly(length)

    async def send(self, data: bytes) -> None:
        """Send one binary message."""
        await self.stream.send(frame(BINARY, data))

    async def receive(self) -> bytes:
        """Read one binary message."""
        opcode, payload = await self.frame()
        assert opcode == BINARY

        return payload


@asynccontextmanager
async def opened(
    dps: Emulator, credential: Credential | None = None, *, early: bytes = b""
) -> AsyncIterator[WebSocketClient]:
    """Open a WebSocket for MQTT, with more bytes in the same breath."""
    async with await connect(dps.https_port, client_context(dps, credential)) as stream:
        client = WebSocketClient(stream)
        await stream.send(opening() + early)
        assert (await client.head()).startswith("HTTP/1.1 101 ")
        yield client


def mqtt_over(client: WebSocketClient) -> MqttClient:
    """Speak MQTT, each `send` a message."""
    return MqttClient(client)
