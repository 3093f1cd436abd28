"""Scripted servers that speak MQTT."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tests.protocol.mqtt_bytes import CONNACK, puback, publish, suback
from tests.scripted import server
from tests.scripted.http import HttpServer
from tests.scripted.server import Script, steps

from aiodps.observe import Observer
from aiodps.transports.base import SessionName
from aiodps.transports.mqtt import MQTT, MqttTransport

SESSION: SessionName | None = None
"""What speaks MQTT in `open_to`; the fixture `session` sets it."""


class Line(server.Line):
    """One connection, as a script sees it."""

    def take(self) -> tuple[int, bytes]:
        """Read one packet: its first byte and its body."""
        first = self._exactly(1)[0]
        length, shift = 0, 0
        while True:
            digit = self._exactly(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return first, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self.read_some(size - len(data))

        return data

    def expect(self, kind: int) -> bytes:
        """Read packets until one of this type comes (pings and PUBACK may lie between)."""
        while True:
            first, body = self.take()
            if first >> 4 == kind >> 4:
                return body

    def accept(self) -> None:
        """Take CONNECT and SUBSCRIBE as the service does."""
        self.expect(0x10)
        self.send(CONNACK)
        self.send(suback(self.expect(0x82)[:2]))

    def request(self, *, acknowledge: bool = True) -> Asked:
        """Take a request and acknowledge it."""
        asked = Asked.read(self.expect(0x30))
        if acknowledge:
            self.send(puback(asked.packet_id))

        return asked

    def rest(self) -> list[int]:
        """Read until the client closes the connection; return the first byte of each packet."""
        seen = []
        with contextlib.suppress(ConnectionError):
            while True:
                seen.append(self.take()[0])

        return seen


@dataclass
class Asked:
    """A request as it arrived."""

    topic: str
    packet_id: bytes
    body: bytes

    @classmethod
    def read(cls, packet: bytes) -> Asked:
        """Read the body of a PUBLISH at QoS 1."""
        size = int.from_bytes(packet[:2], "big")
        return cls(packet[2 : 2 + size].decode(), packet[2 + size : 4 + size], packet[4 + size :])

    @property
    def rid(self) -> str:
        """The `$rid` of the request."""
        return self.topic.partition("$rid=")[2].partition("&")[0]

    def answer(self, status: object = 202, body: bytes = b"{}", *, more: str = "") -> bytes:
        """Write the answer to the request."""
        return publish(f"$dps/registrations/res/{status}/?$rid={self.rid}{more}", body)


class MqttServer(HttpServer):
    """A server whose scripts get a `Line`; with TLS."""

    line = Line
    transport = "mqtt"


@contextlib.asynccontextmanager
async def open_to(
    peer: MqttServer, observer: Observer | None = None, sas: str | None = None, **settings: Any
) -> AsyncIterator[MqttTransport]:
    """Give a transport to the server, not connected, and close it at the end."""
    factory = MQTT(port=peer.port, **{"session": SESSION, **settings})
    transport = factory.open(peer.target(observer, sas=sas))
    try:
        yield transport
    finally:
        transport.close()


def narrow(transport: MqttTransport) -> None:
    """Let a transport's socket take no more than a few kB at once."""
    own: Any = transport._session._socket  # type: ignore[union-attr]
    sock = getattr(own, "_socket", own)
    assert isinstance(sock, socket.socket)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


def answering(status: int, body: bytes = b"{}", *, more: str = "") -> Script:
    """Take a session, answer every request with the same."""

    def script(line: Line) -> None:
        line.accept()
        while True:
            line.send(line.request().answer(status, body, more=more))

    return script


assigning = answering(202, more="&retry-after=3")
"""Take a session, answer every request with 202."""


def takes_connect(line: Line) -> None:
    """Wait for CONNECT."""
    line.expect(0x10)


reset = steps(takes_connect, Line.reset)
"""Close with RST after CONNECT."""
