"""The server of the admin port: plain HTTP, on loopback by default."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Final, Self

from anyio.abc import TaskGroup

from aiodps.emulator.admin.asgi import RequestCycle
from aiodps.emulator.admin.responses import AdminError
from aiodps.emulator.admin.router import SegmentRoute, application
from aiodps.emulator.admin.strangers import Strangers
from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.hosts import in_url, is_loopback, reachable_name
from aiodps.emulator.connections.listener import Listener
from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.frontends.http.connection import HttpConnection
from aiodps.emulator.frontends.http.requests import RefusedError

HOST: Final = "127.0.0.1"
"""The default, whatever the other ports listen on."""
MAX_CONNECTIONS: Final = 512
"""Concurrent connections, apart from those of devices; see `strangers` for most of them."""
_TOKEN_BYTES = 24
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class AdminPort:
    """The admin port of an emulator.

    Args:
        listener: Its listening socket.
        routes: Its endpoints.
        name: The host in its address.
        names: What clients may call its host, besides the names of loopback.
    """

    def __init__(
        self,
        listener: Listener,
        routes: Sequence[SegmentRoute],
        *,
        name: str = HOST,
        names: Sequence[str] = (),
    ) -> None:
        self._listener = listener
        self.token: str = secrets.token_urlsafe(_TOKEN_BYTES)
        """The token that gives full access; a new one at each start."""
        self.url: str = f"http://{in_url(name)}:{listener.port}"
        """Its address, without the token."""
        self._strangers = Strangers()
        self._app = application(
            routes, token=self.token, port=listener.port, names=map(in_url, names)
        )

    @classmethod
    def bind(
        cls,
        port: int,
        routes: Sequence[SegmentRoute],
        *,
        host: str = HOST,
        names: Sequence[str] = (),
    ) -> Self:
        """Bind a port; 0 for any free one.

        Beyond loopback, clients may use the host and its names in `Host`, and nothing else.

        Raises:
            ConfigurationError: If it cannot be bound.
        """
        listener = Listener.bind(host, port, setting="admin_port")
        if is_loopback(host):
            return cls(listener, routes)

        name = reachable_name(host, (HOST,))
        return cls(listener, routes, name=name, names=(host, *names))

    async def serve(self, tasks: TaskGroup) -> None:
        """Serve until cancelled."""
        await self._listener.serve(
            self._serve_connection, tasks, connection_limit=ConnectionLimit(MAX_CONNECTIONS)
        )

    def close(self) -> None:
        """Close the port."""
        self._listener.close()

    async def _serve_connection(self, stream: Stream) -> None:
        """Serve one connection to its end."""
        http = HttpConnection(stream)
        with self._strangers.admitted(stream.peer_timeout) as known:
            try:
                while (request := await http.next_request()) is not None:
                    cycle = RequestCycle(
                        http=http,
                        stream=stream,
                        request=request,
                        headers=_HEADERS,
                        on_authenticated=known,
                    )
                    if not await cycle.run(self._app):
                        return
            except RefusedError as exc:
                refusal = AdminError(exc.status_code, str(exc)).response
                headers = {**_HEADERS, **refusal.headers, "Connection": "close"}
                await http.send(exc.status_code, bytes(refusal.body), headers)
                await stream.linger()
            finally:
                http.close()
