"""A peer that speaks HTTP by a script."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tests.transports import peers

from aiodps.observe import Observer
from aiodps.transports.rest import REST, RestTransport


@dataclass
class Line:
    """One connection, as a script sees it."""

    sock: socket.socket

    def take(self) -> tuple[bytes, bytes]:
        """Read one request: its head and its body; b"" if the client has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionError("the client has closed the connection")

            data += more

        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        while len(body) < length:
            body += self.sock.recv(65536)

        return head, body

    def send(self, *parts: bytes) -> None:
        """Send bytes, in one piece."""
        self.sock.sendall(b"".join(parts))

    def drain(self) -> None:
        """Read until the client hangs up."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass


def answer(status: int, body: bytes = b"{}", **headers: str) -> bytes:
    """Write an answer as the service does."""
    lines = {
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def state(status: str, **members: object) -> bytes:
    """Write the body of an answer."""
    return json.dumps({"operationId": "op", "status": status, **members}).encode()


class Peer(peers.Peer):
    """A peer whose scripts get a `Line`."""

    def line(self, sock: socket.socket) -> Line:
        """Return what a script gets to speak over."""
        return Line(sock)


def always(*parts: bytes) -> peers.Script:
    """Answer every request with the same bytes."""

    def script(line: Line) -> None:
        while True:
            line.take()
            line.send(*parts)

    return script


def once(*parts: bytes) -> peers.Script:
    """Answer one request with these bytes, and close."""

    def script(line: Line) -> None:
        line.take()
        line.send(*parts)

    return script


def held(*parts: bytes) -> peers.Script:
    """Answer one request with these bytes, and stay."""

    def script(line: Line) -> None:
        line.take()
        line.send(*parts)
        line.drain()

    return script


@contextlib.asynccontextmanager
async def open_to(
    peer: Peer, observer: Observer | None = None, **settings: Any
) -> AsyncIterator[RestTransport]:
    """Give a transport to the peer, not connected, and close it at the end."""
    transport = REST(port=peer.port, **settings).open(peer.target(observer))
    try:
        yield transport
    finally:
        await transport.aclose()
