"""A peer that speaks MQTT by a script."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tests.protocol.mqtt_bytes import CONNACK, puback, publish, suback
from tests.transports import peers
from tests.transports.peers import Script, server_context

from aiodps.observe import Observer
from aiodps.transports.mqtt import MQTT, MqttTransport

__all__ = ["PATIENCE", "Line", "Peer", "Script", "open_to", "server_context"]


@dataclass
class Line:
    """One connection, as a script sees it."""

    sock: socket.socket
    user_name: bytes = b""

    def take(self) -> tuple[int, bytes]:
        """Read one packet: its first byte and its body."""
        first = self._read(1)[0]
        length, shift = 0, 0
        while True:
            digit = self._read(1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return first, self._read(length)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("the client has closed the connection")

            data += more

        return data

    def expect(self, kind: int) -> bytes:
        """Read packets until one of this type comes (pings and PUBACK may lie between)."""
        while True:
            first, body = self.take()
            if first >> 4 == kind >> 4:
                return body

    def send(self, *packets: bytes) -> None:
        """Send bytes, in one piece."""
        self.sock.sendall(b"".join(packets))

    def accept(self) -> None:
        """Take CONNECT and SUBSCRIBE as the service does."""
        self.expect(0x10)
        self.send(CONNACK)
        self.send(suback(self.expect(0x82)[:2]))

    def request(self, *, acknowledge: bool = True) -> Asked:
        """Take a request and acknowledge it."""
        body = self.expect(0x30)
        size = int.from_bytes(body[:2], "big")
        asked = Asked(body[2 : 2 + size].decode(), body[2 + size : 4 + size], body[4 + size :])
        if acknowledge:
            self.send(puback(asked.packet_id))

        return asked

    def drain(self) -> list[int]:
        """Read until the client hangs up; return the first byte of each packet."""
        seen = []
        with contextlib.suppress(OSError):
            while True:
                seen.append(self.take()[0])

        return seen

    def reset(self) -> None:
        """Close with RST."""
        peers.reset(self.sock)


@dataclass
class Asked:
    """A request as it arrived."""

    topic: str
    packet_id: bytes
    body: bytes

    @property
    def rid(self) -> str:
        """The `$rid` of the request."""
        return self.topic.partition("$rid=")[2].partition("&")[0]

    def answer(self, status: object = 202, body: bytes = b"{}", *, more: str = "") -> bytes:
        """Write the answer to the request."""
        return publish(f"$dps/registrations/res/{status}/?$rid={self.rid}{more}", body)


class Peer(peers.Peer):
    """A peer whose scripts get a `Line`."""

    transport = "mqtt"

    def line(self, sock: socket.socket) -> Line:
        """Return what a script gets to speak over."""
        return Line(sock)


@contextlib.asynccontextmanager
async def open_to(
    peer: Peer, observer: Observer | None = None, **settings: Any
) -> AsyncIterator[MqttTransport]:
    """Give a transport to the peer, not connected, and close it at the end."""
    transport = MQTT(port=peer.port, **settings).open(peer.target(observer))
    try:
        yield transport
    finally:
        await transport.aclose()


def assigning(line: Line) -> None:
    """Take a session, answer every request with 202."""
    line.accept()
    while True:
        line.send(line.request().answer(202, more="&retry-after=3"))


def silent(line: Line) -> None:
    """Never answer."""
    line.drain()


def reset(line: Line) -> None:
    """Close with RST after CONNECT."""
    line.expect(0x10)
    line.reset()
