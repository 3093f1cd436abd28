"""ASGI over `HttpConnection`, whose HTTP/1.1 has strict limits."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

import anyio.lowlevel
from starlette.types import ASGIApp, Message, Scope

from aiodps.emulator.admin.auth import AUTHENTICATED
from aiodps.emulator.connections.stream import PeerLostError, Stream
from aiodps.emulator.frontends.http.connection import HttpConnection
from aiodps.emulator.frontends.http.requests import HttpRequest

log: Final = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class RequestCycle:
    """One request, read completely and within limits, and its response."""

    http: HttpConnection
    stream: Stream
    """The stream under `http`."""
    request: HttpRequest
    headers: Mapping[str, str]
    """Sent with every response."""
    on_authenticated: Callable[[], None]
    """Called when the request has turned out to be authenticated."""
    _received: bool = False
    _complete: bool = False
    _scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def run(self, app: ASGIApp) -> bool:
        """Run the application; False if it did not complete the response.

        Raises:
            PeerLostError: If the connection broke.
        """
        try:
            with self._scope:
                scope = _scope(self.request)
                scope[AUTHENTICATED] = self.on_authenticated
                await app(scope, self._receive, self._send)
        except PeerLostError:
            raise
        except Exception:
            # A bug of ours must not cost the connection.
            log.exception("the admin port failed")

        return self._complete

    async def _receive(self) -> Message:
        if not self._received:
            self._received = True
            return {"type": "http.request", "body": self.request.body, "more_body": False}

        with contextlib.suppress(PeerLostError):
            while await self.stream.receive():
                pass

        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        else:
            last = not message.get("more_body")
            await self.http.send_piece(message.get("body", b""), last=last)
            self._complete = last

    async def _begin(self, message: Message) -> None:
        own = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        headers = {**self.headers, **own}
        if self.request.method == "HEAD":
            await self.http.send(message["status"], b"", headers)
            self._complete = True
            # The body is not sent, and may be endless.
            self._scope.cancel()
            await anyio.lowlevel.checkpoint()

        if "content-length" not in headers:
            # Server-sent events, for as long as the client listens.
            headers["Connection"] = "close"
            self.stream.peer_timeout.start(silence=math.inf)

        await self.http.begin(message["status"], headers)


def _scope(request: HttpRequest) -> Scope:
    path, _, query = request.target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(n.encode(), v.encode("latin-1")) for n, v in request.headers.items()],
    }
