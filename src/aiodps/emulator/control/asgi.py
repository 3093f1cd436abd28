"""ASGI on a connection of ours: the bounded HTTP/1.1 of the fronts drives an application."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Mapping
from http import HTTPMethod
from urllib.parse import unquote

import anyio.lowlevel
from starlette.types import ASGIApp, Message, Scope

from aiodps.emulator.connections.stream import PeerLostError, Stream
from aiodps.emulator.frontends.http.connection import HttpConnection, HttpRequest

log = logging.getLogger(__name__)


class RequestCycle:
    """One request, already read whole and within limits, and its answer.

    Args:
        http: The connection.
        stream: That it speaks over.
        request: What is asked.
        headers: Of every answer.
    """

    def __init__(
        self,
        http: HttpConnection,
        stream: Stream,
        request: HttpRequest,
        headers: Mapping[str, str],
    ) -> None:
        self._http = http
        self._stream = stream
        self._request = request
        self._headers = dict(headers)
        self._status_code = 0
        self._received = False
        self._streaming = False
        self._complete = False
        self._scope = anyio.CancelScope()

    async def run(self, app: ASGIApp) -> bool:
        """Have the application answer.

        Returns:
            Whether it did so to the end; if not, the connection has to end.

        Raises:
            PeerLostError: If the connection broke.
        """
        try:
            with self._scope:
                await app(_scope(self._request), self._receive, self._send)
        except PeerLostError:
            raise
        except Exception:
            # A bug of ours must not cost the connection.
            log.exception("the control port failed")

        return self._complete

    async def _receive(self) -> Message:
        if not self._received:
            self._received = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}

        with contextlib.suppress(PeerLostError):
            while await self._stream.receive():
                pass

        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start":
                await self._start(message)
            case "http.response.body":
                await self._continue(message.get("body", b""), more=message.get("more_body"))

    async def _start(self, message: Message) -> None:
        self._status_code = message["status"]
        self._headers |= {
            name.decode(): value.decode("latin-1") for name, value in message["headers"]
        }
        if self._request.method == HTTPMethod.HEAD:
            await self._finish(b"")
            # Nobody wants the rest, which may be without an end.
            self._scope.cancel()
            await anyio.lowlevel.checkpoint()

    async def _continue(self, piece: bytes, *, more: bool | None) -> None:
        """Send an answer all at once if it comes so; if it is streamed, the connection ends."""
        if not self._streaming:
            if not more:
                await self._finish(piece)
                return

            self._streaming = True
            self._stream.peer_timeout.start(silence=math.inf)
            await self._http.begin(self._status_code, {**self._headers, "Connection": "close"})

        await self._http.send_piece(piece)
        if not more:
            await self._http.end()
            self._complete = True

    async def _finish(self, content: bytes) -> None:
        await self._http.send(self._status_code, content, self._headers)
        self._complete = True


def _scope(request: HttpRequest) -> Scope:
    path, _, query = request.target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(n.encode(), v.encode("latin-1")) for n, v in request.headers.items()],
    }
