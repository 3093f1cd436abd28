"""The control port: plain HTTP on loopback, for whoever runs the emulator and has its token."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Final, Self

from anyio.abc import TaskGroup

from aiodps.emulator.admin.asgi import RequestCycle
from aiodps.emulator.admin.responses import ControlError
from aiodps.emulator.admin.router import SegmentRoute, application
from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.listener import Listener
from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.frontends.http.connection import HttpConnection, RefusedError

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


class Control:
    """The control port of an emulator; nothing is answered before `serve`.

    Args:
        listener: Its port.
        routes: What there is.
    """

    def __init__(self, listener: Listener, routes: Sequence[SegmentRoute]) -> None:
        self._listener = listener
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        """Whoever has it may do everything. Made anew at each start."""
        self.url = f"http://{HOST}:{listener.port}"
        """Where it is, without the token."""
        self._app = application(routes, token=self.token, port=listener.port)

    @classmethod
    def bind(cls, port: int, routes: Sequence[SegmentRoute]) -> Self:
        """Take a port on loopback; 0 for any free one.

        Raises:
            ConfigurationError: If it cannot be had.
        """
        return cls(Listener.bind(HOST, port, setting="control_port"), routes)

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
                cycle = RequestCycle(http=http, stream=stream, request=request, headers=_HEADERS)
                if not await cycle.run(self._app):
                    return
        except RefusedError as exc:
            refusal = ControlError(exc.status_code, str(exc)).response
            headers = {**_HEADERS, **refusal.headers, "Connection": "close"}
            await http.send(exc.status_code, bytes(refusal.body), headers)
            await stream.linger()
