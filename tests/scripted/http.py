"""Scripted servers that speak HTTP."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from OpenSSL import SSL
from tests.scripted import server
from tests.scripted.server import Script, ScriptedServer, repeat, steps
from tests.scripted.tls import serving

from aiodps.observe import Observer
from aiodps.transports.rest import REST, RestTransport


class Line(server.Line):
    """One connection, as a script sees it."""

    def take(self) -> tuple[bytes, bytes]:
        """Read one request: its head and its body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.read_some()

        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        while len(body) < length:
            body += self.read_some()

        return head, body


@functools.cache
def usual_tls() -> SSL.Context:
    """Make a context that is like the service's: TLS 1.2 and 1.3, with session tickets."""
    return serving(tickets=True)


class HttpServer(ScriptedServer):
    """A server whose scripts get a `Line`; with TLS, unless its script begins it."""

    line: ClassVar[type[server.Line]] = Line

    def __init__(self, *scripts: Script, tls: SSL.Context | None = None) -> None:
        super().__init__(*scripts, tls=tls or usual_tls())


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


def always(*parts: bytes) -> Script:
    """Answer every request with the same bytes."""
    return repeat(Line.take, b"".join(parts))


def once(*parts: bytes) -> Script:
    """Answer one request with these bytes, and close."""
    return steps(Line.take, b"".join(parts))


def held(*parts: bytes) -> Script:
    """Answer one request with these bytes, and stay."""
    return steps(Line.take, b"".join(parts), Line.drain)


@contextlib.asynccontextmanager
async def open_to(
    peer: HttpServer, observer: Observer | None = None, **settings: Any
) -> AsyncIterator[RestTransport]:
    """Give a transport to the server, not connected, and close it at the end."""
    transport = REST(port=peer.port, **settings).open(peer.target(observer))
    try:
        yield transport
    finally:
        transport.close()
