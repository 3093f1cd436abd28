"""The control port: plain HTTP on loopback, for whoever runs the emulator and has its token."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import parse_qsl, unquote

import anyio
from anyio.abc import TaskGroup

from aiodps.emulator.admin.auth import Access
from aiodps.emulator.admin.router import ControlAnswer, ControlError, ControlRequest, Router
from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.listener import Listener
from aiodps.emulator.connections.stream import PeerLostError, Stream
from aiodps.emulator.frontends.http.connection import HttpConnection, HttpRequest, RefusedError
from aiodps.emulator.state.store import StoreError

HOST: Final = "127.0.0.1"
"""Never another one, whatever the other ports listen on."""
PLACES: Final = 64
"""Connections at a time, apart from those of devices."""
_TOKEN_BYTES = 24
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

log = logging.getLogger(__name__)


class Control:
    """The control port of an emulator.

    Nothing is answered before `serve`; routes are added to `router` until then.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.router = Router()
        """What there is."""
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        """Whoever has it may do everything. Made anew at each start."""
        self.url = f"http://{HOST}:{listener.port}"
        """Where it is, without the token."""
        self._access = Access(self.token, listener.port)

    @classmethod
    def bind(cls, port: int) -> Self:
        """Take a port on loopback; 0 for any free one.

        Raises:
            ConfigurationError: If it cannot be had.
        """
        return cls(Listener.bind(HOST, port, setting="control_port"))

    async def serve(self, tasks: TaskGroup) -> None:
        """Serve until cancelled."""
        await self._listener.serve(self._converse, tasks, connection_limit=ConnectionLimit(PLACES))

    def close(self) -> None:
        """Give the port back."""
        self._listener.close()

    async def _converse(self, stream: Stream) -> None:
        """See one connection through."""
        http = HttpConnection(stream)
        try:
            while (request := await http.next_request()) is not None:
                answer = await self._answer(request)
                headers = {"Content-Type": answer.content_type, **_HEADERS, **answer.headers}
                if isinstance(answer.content, bytes):
                    await http.send(answer.status_code, answer.content, headers)
                elif request.method == "HEAD":
                    await http.send(answer.status_code, b"", headers)
                else:
                    await _follow(http, stream, answer.status_code, answer.content, headers)
        except RefusedError as exc:
            answer = _error(ControlError(exc.status_code, str(exc)))
            headers = {"Content-Type": answer.content_type, "Connection": "close", **_HEADERS}
            assert isinstance(answer.content, bytes)  # noqa: S101 (it is one of ours)
            await http.send(answer.status_code, answer.content, headers)
            await stream.linger()

    async def _answer(self, request: HttpRequest) -> ControlAnswer:
        raw_path, _, query = request.target.partition("?")
        asked = ControlRequest(
            method="GET" if request.method == "HEAD" else request.method,
            path=unquote(raw_path),
            query=dict(reversed(parse_qsl(query, keep_blank_values=True))),
            headers=request.headers,
            body=request.body,
        )
        try:
            return self._access.enter(asked) or await self.router.answer(asked, raw_path=raw_path)
        except ControlError as exc:
            return _error(exc)
        except StoreError as exc:
            return _error(ControlError(HTTPStatus.INTERNAL_SERVER_ERROR, str(exc)))
        except Exception:
            # A bug of ours must not cost the connection.
            log.exception("the control port failed")
            return _error(ControlError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error"))


async def _follow(
    http: HttpConnection,
    stream: Stream,
    status_code: int,
    pieces: AsyncIterator[bytes],
    headers: Mapping[str, str],
) -> None:
    """Send pieces until there are no more or the peer has gone; that ends the connection."""

    async def watch() -> None:
        try:
            while await stream.receive():
                pass
        except PeerLostError:
            pass

        watching.cancel_scope.cancel()

    stream.peer_timeout.start(silence=math.inf)
    async with anyio.create_task_group() as watching:
        watching.start_soon(watch)
        try:
            async with aclosing(_generator(pieces)) as closing:
                await http.send_pieces(status_code, closing, {**headers, "Connection": "close"})
        except PeerLostError as exc:
            log.debug("nobody follows any more: %s", exc)

        watching.cancel_scope.cancel()


async def _generator(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Close what the pieces come from, when the last one was taken or nobody wants them."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            with anyio.CancelScope(shield=True):
                await close()


def _error(error: ControlError) -> ControlAnswer:
    body = {"error": error.message, "hint": error.hint}
    return ControlAnswer.json(body, status_code=error.status_code)
