"""Proxies as scripts: what each kind answers at each stage, and a service behind it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from OpenSSL import SSL
from tests.scripted.server import HOST, Line, Script
from tests.scripted.tls import serving

from aiodps.network.proxy import Proxy, Scheme

USER, PASSWORD = "canary-user", "canary-password-of-the-proxy"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode())


@dataclass(frozen=True)
class Stage:
    """A request of the client's, and the answer that lets it go on."""

    complete: Callable[[bytes], bool]
    answer: bytes

    def take(self, line: Line) -> bytes:
        """Read the request."""
        taken = b""
        while not self.complete(taken):
            taken += line.read_some()

        return taken


@dataclass(frozen=True)
class Kind:
    """A kind of proxy."""

    name: str
    scheme: Scheme
    authenticates: bool
    stages: tuple[Stage, ...]

    def __str__(self) -> str:
        """Name the kind in test ids."""
        return self.name

    def proxy(self, port: int, *, host: str = HOST) -> Proxy:
        """Return the proxy as a client is given it."""
        user, password = (USER, PASSWORD) if self.authenticates else (None, None)
        return Proxy(scheme=self.scheme, host=host, port=port, user=user, password=password)

    def opening(self, line: Line) -> list[bytes]:
        """Answer each request as it wants; return the requests."""
        requests = []
        for stage in self.stages:
            requests.append(stage.take(line))
            line.send(stage.answer)

        return requests

    def before(self, script: Script, *, tls: SSL.Context | None = None) -> Script:
        """Make a script that is the proxy first, and then the service over TLS."""

        def tunnelled(line: Line) -> None:
            self.opening(line)
            line.received.clear()
            line.secure(tls or serving())
            script(line)

        return tunnelled


HEAD = Stage(lambda taken: taken.endswith(b"\r\n\r\n"), b"HTTP/1.1 200 OK\r\n\r\n")
GREETING = Stage(lambda taken: taken[1:2] != b"" and len(taken) == 2 + taken[1], b"\x05\x00")
GREETING_AUTH = Stage(GREETING.complete, b"\x05\x02")
LOGIN = Stage(lambda taken: taken.endswith(PASSWORD.encode()), b"\x01\x00")
REQUEST = Stage(lambda taken: len(taken) > 9, b"\x05\x00\x00\x01\x7f\x00\x00\x01\x01\xbb")

KINDS = (
    Kind("connect", "http", authenticates=False, stages=(HEAD,)),
    Kind("connect-password", "http", authenticates=True, stages=(HEAD,)),
    Kind("socks5", "socks5", authenticates=False, stages=(GREETING, REQUEST)),
    Kind("socks5-password", "socks5", authenticates=True, stages=(GREETING_AUTH, LOGIN, REQUEST)),
)
