"""Clients of the emulator that share no code with it: TLS, HTTP, MQTT and WebSocket by hand.

By hand, so that they can be wrong: what they send is bytes, which the functions below write.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import anyio
import httpx
from anyio.abc import ByteStream
from tests import certificates
from tests.emulated import SCOPE
from tests.protocol.mqtt_bytes import packet, text

from aiodps.emulator import Emulator
from aiodps.pki import Credential

REGISTER = "$dps/registrations/PUT/iotdps-register/?$rid=1"
WEBSOCKET_PATH = "/$iothub/websocket"
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


def client_context(dps: Emulator, credential: Credential | None = None) -> ssl.SSLContext:
    """Trust the emulator and nobody else, as the device if one is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=dps.ca_pem.decode())
    if credential is not None:
        with tempfile.TemporaryDirectory() as directory:
            context.load_cert_chain(*certificates.write(credential, Path(directory)))

    return context


async def connect(port: int, context: ssl.SSLContext) -> ByteStream:
    """Open a TLS connection; its end need not be a proper one."""
    return await anyio.connect_tcp(
        "127.0.0.1",
        port,
        ssl_context=context,
        tls_hostname="localhost",
        tls_standard_compatible=False,
    )


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: Any


class ByteConnection(Protocol):
    """What bytes go over."""

    async def send(self, data: bytes, /) -> None:
        """Send all of it."""

    async def receive(self) -> bytes:
        """Wait for some."""
        ...


class Reader:
    """Reads as many bytes as are wanted."""

    def __init__(self, stream: ByteConnection) -> None:
        self.stream = stream
        self._buffer = b""

    async def ended(self) -> bool:
        """Wait until the server closes the connection; tell whether it said nothing before."""
        try:
            await self._exactly(1)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True

        return False

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += await self.stream.receive()

        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._buffer += await self.stream.receive()

        found, _, self._buffer = self._buffer.partition(mark)
        return found


class HttpClient(Reader):
    """HTTP/1.1 as far as these tests need it."""

    stream: ByteStream

    def __init__(self, stream: ByteStream, *, host: str = "localhost") -> None:
        super().__init__(stream)
        self._host = host

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Iterable[str] = ("Content-Type: application/json",),
    ) -> Answer:
        """Send one request and read its answer."""
        lines = (f"{method} {path} HTTP/1.1", f"Host: {self._host}", *headers)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        await self.stream.send(("\r\n".join(lines) + f"\r\n{length}\r\n").encode() + body)
        return await self.answer()

    async def answer(self) -> Answer:
        """Read one answer."""
        head = (await self._until(b"\r\n\r\n")).decode().split("\r\n")
        lines = (line.partition(": ") for line in head[1:])
        headers = httpx.Headers([(name, value) for name, _, value in lines])
        status = int(head[0].split()[1])
        if "Content-Length" in headers:
            content = await self._exactly(int(headers["Content-Length"]))
            return Answer(status, headers, json.loads(content) if content else None)

        if "Transfer-Encoding" not in headers:
            rest = await self._to_the_end() if headers.get("Connection") == "close" else b""
            return Answer(status, headers, json.loads(rest) if rest else None)

        content = b""
        while size := int(await self._until(b"\r\n"), 16):
            content += (await self._exactly(size + 2))[:size]

        await self._until(b"\r\n")
        return Answer(status, headers, json.loads(content) if content else None)

    async def _to_the_end(self) -> bytes:
        try:
            while True:
                self._buffer += await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return self._buffer


@asynccontextmanager
async def http(dps: Emulator, credential: Credential | None = None) -> AsyncIterator[HttpClient]:
    """Connect to the HTTPS port."""
    async with await connect(dps.https_port, client_context(dps, credential)) as stream:
        yield HttpClient(stream)


def mqtt_connect(
    registration_id: str = "device-1",
    *,
    user_name: str | None = None,
    client_id: str | None = None,
    password: str | None = None,
    clean_session: bool = True,
    keep_alive: int = 60,
    level: int = 4,
) -> bytes:
    """Write a CONNECT."""
    user = user_name or f"{SCOPE}/registrations/{registration_id}/api-version=2019-03-31"
    flags = (0x80 if password is None else 0xC0) | clean_session << 1
    body = text("MQTT") + bytes((level, flags)) + keep_alive.to_bytes(2)
    body += text(registration_id if client_id is None else client_id) + text(user)
    return packet(0x10, body + (b"" if password is None else text(password)))


def mqtt_publish(
    topic: str, payload: bytes = b"{}", *, packet_id: int | None = 1, again: bool = False
) -> bytes:
    """Write a PUBLISH, at QoS 1 if it has a packet id; `again` marks it as a duplicate."""
    if packet_id is None:
        return packet(0x30, text(topic) + payload)

    return packet(0x32 | again << 3, text(topic) + packet_id.to_bytes(2) + payload)


def mqtt_subscribe(name: str = "$dps/registrations/res/#", qos: int = 1) -> bytes:
    """Write a SUBSCRIBE."""
    body = b"\x00\x09" + text(name) + bytes((qos,))
    return packet(0x82, body)


class MqttClient(Reader):
    """MQTT 3.1.1 as far as these tests need it."""

    async def send(self, *packets: bytes) -> None:
        """Send packets in one go."""
        await self.stream.send(b"".join(packets))

    async def take(self) -> tuple[int, bytes]:
        """Read one packet: its first byte and its body."""
        first = (await self._exactly(1))[0]
        length, shift = 0, 0
        while True:
            digit = (await self._exactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return first, await self._exactly(length)

    async def message(self) -> tuple[str, Any]:
        """Read one PUBLISH at QoS 1: its topic and its JSON."""
        first, body = await self.take()
        assert first == 0x32

        end = 2 + int.from_bytes(body[:2])
        return body[2:end].decode(), json.loads(body[end + 2 :])


@asynccontextmanager
async def mqtt(
    dps: Emulator, credential: Credential | None = None, *packets: bytes
) -> AsyncIterator[MqttClient]:
    """Connect to the MQTT port and send packets."""
    async with await connect(dps.mqtt_port, client_context(dps, credential)) as stream:
        client = MqttClient(stream)
        if packets:
            await client.send(*packets)

        yield client


def opening(
    path: str = WEBSOCKET_PATH, headers: Iterable[str] = HEADERS, method: str = "GET"
) -> bytes:
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


class WebSocketClient(Reader):
    """Reads frames."""

    async def head(self) -> str:
        """Read the answer to the opening request, in which case counts little."""
        return (await self._until(b"\r\n\r\n")).decode()

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
