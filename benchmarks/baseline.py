"""The baseline: plain asyncio streams and hand-written bytes, one TLS context for each device.

This is what somebody would write who knows the protocol by heart and wants nothing else: no
checks, no limits, no errors, no deadline. It is the yardstick, not a competitor; its cost is what
asyncio's own TLS costs.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Server:
    """Where the service is."""

    host: str
    https_port: int
    mqtt_port: int
    id_scope: str
    ca: str
    pid: int


def context(server: Server, chain: Path, key: Path) -> ssl.SSLContext:
    """Make a context for one device."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=server.ca)
    made.load_cert_chain(chain, key)
    return made


async def rest(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Register over HTTPS and poll until assigned."""
    reader, writer = await asyncio.open_connection(
        server.host, server.https_port, ssl=context(server, chain, key)
    )
    try:
        base = f"/{server.id_scope}/registrations/{registration_id}"
        body = json.dumps({"registrationId": registration_id})
        answer = await _http(reader, writer, "PUT", f"{base}/register", body)
        while answer["status"] == "assigning":
            path = f"{base}/operations/{answer['operationId']}"
            answer = await _http(reader, writer, "GET", path)

        return str(answer["registrationState"]["assignedHub"])
    finally:
        writer.close()
        await writer.wait_closed()


async def _http(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    method: str,
    path: str,
    body: str = "",
) -> dict:  # type: ignore[type-arg]  # a baseline
    writer.write(
        f"{method} {path}?api-version=2021-10-01 HTTP/1.1\r\nHost: dps\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    answer = b""
    while length := int(await reader.readline(), 16):  # the service sends chunks
        answer += (await reader.readexactly(length + 2))[:-2]

    await reader.readline()
    return json.loads(answer)  # type: ignore[no-any-return]  # JSON


async def mqtt(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Register over MQTT and poll until assigned."""
    reader, writer = await asyncio.open_connection(
        server.host, server.mqtt_port, ssl=context(server, chain, key)
    )
    try:
        user = f"{server.id_scope}/registrations/{registration_id}/api-version=2019-03-31"
        names = _text(registration_id) + _text(user)
        writer.write(_packet(0x10, _text("MQTT") + b"\x04\x82\x00\x3c" + names))
        await _read(reader)
        writer.write(_packet(0x82, b"\x00\x01" + _text("$dps/registrations/res/#") + b"\x01"))
        await _read(reader)
        body = json.dumps({"registrationId": registration_id}).encode()
        put = "$dps/registrations/PUT/iotdps-register/?$rid=1"
        answer = await _publish(reader, writer, 2, put, body)
        rid = 2
        while answer["status"] == "assigning":
            get = (
                f"$dps/registrations/GET/iotdps-get-operationstatus/?$rid={rid}"
                f"&operationId={answer['operationId']}"
            )
            answer = await _publish(reader, writer, rid + 1, get, b" ")
            rid += 1

        writer.write(b"\xe0\x00")
        return str(answer["registrationState"]["assignedHub"])
    finally:
        writer.close()
        await writer.wait_closed()


async def _publish(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mid: int, topic: str, body: bytes
) -> dict:  # type: ignore[type-arg]  # a baseline
    writer.write(_packet(0x32, _text(topic) + mid.to_bytes(2) + body))
    while True:
        kind, packet = await _read(reader)
        if kind & 0xF0 == 0x30:
            size = int.from_bytes(packet[:2])
            qos = (kind >> 1) & 3
            if qos:
                writer.write(b"\x40\x02" + packet[2 + size : 4 + size])

            return json.loads(packet[2 + size + (2 if qos else 0) :])  # type: ignore[no-any-return]  # idem


def _text(text: str) -> bytes:
    return len(text).to_bytes(2) + text.encode()


def _packet(kind: int, body: bytes) -> bytes:
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind = (await reader.readexactly(1))[0]
    size, shift = 0, 0
    while True:
        digit = (await reader.readexactly(1))[0]
        size |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            return kind, await reader.readexactly(size)
