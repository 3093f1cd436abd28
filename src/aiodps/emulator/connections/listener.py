"""Listening sockets, with or without TLS: each connection is served in its own task."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Self, TypeAlias

import anyio
from anyio.abc import TaskGroup

from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.handshake import TlsHandshake
from aiodps.emulator.connections.plain import PlainStream
from aiodps.emulator.connections.read_watch import ReadWatch
from aiodps.emulator.connections.stream import PeerLostError, Stream
from aiodps.emulator.connections.timeouts import PeerTimeout
from aiodps.emulator.connections.tls import TlsStream
from aiodps.errors import ConfigurationError

BACKLOG: Final = 4096
"""Connections that the kernel queues. With the usual 100, a burst of 2,000 overflows."""
_BATCH: Final = BACKLOG
"""Connections accepted before other tasks run: their handshakes may take a second, and
the queue of the kernel must be empty before that."""
_RETRY_SECONDS: Final = 0.05
"""Seconds to wait when this machine has run out of file descriptors."""

Frontend: TypeAlias = Callable[[Stream], Awaitable[None]]
"""Serves a connection until it may be closed."""

log: Final = logging.getLogger(__name__)


class Listener:
    """One listening socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._accepted: deque[socket.socket] = deque()
        self.host: Any
        self.port: Any
        self.host, self.port = sock.getsockname()[:2]

    @classmethod
    def bind(cls, host: str, port: int, *, setting: str) -> Self:
        """Bind a port.

        Args:
            host: An address or a name of this machine.
            port: 0 for any free one.
            setting: Name of the port's setting, for the error.

        Raises:
            ConfigurationError: If it cannot be bound.
        """
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as exc:
            raise _bind_error(host, port, setting, exc) from exc

        try:
            _bind(sock, address)
        except OSError as exc:
            sock.close()
            raise _bind_error(host, port, setting, exc) from exc

        return cls(sock)

    def close(self) -> None:
        """Close the port."""
        for sock in (self._socket, *self._accepted):
            sock.close()

    async def serve(
        self,
        frontend: Frontend,
        tasks: TaskGroup,
        *,
        connection_limit: ConnectionLimit,
        tls: TlsHandshake | None = None,
    ) -> None:
        """Accept connections until cancelled; an error in one never ends the others.

        Args:
            frontend: Serves each connection.
            tasks: For the tasks of connections.
            connection_limit: Shared with other ports.
            tls: The TLS handshake; None for a port without TLS, for this machine only.
        """
        watch = ReadWatch(self._socket)
        try:
            while True:
                await self._accept_some(watch, connection_limit)
                while self._accepted:
                    sock = self._accepted.popleft()
                    tasks.start_soon(
                        _serve_connection, sock, frontend, tasks, connection_limit, tls
                    )
        finally:
            watch.stop()

    async def _accept_some(self, watch: ReadWatch, connection_limit: ConnectionLimit) -> None:
        """Wait for connections, and accept as many as there is room for, maybe none."""
        try:
            await watch.result_of(lambda: self._accept(connection_limit.free))
        except OSError as exc:
            if exc.errno != errno.ECONNABORTED:  # the peer has gone already
                # Descriptors or memory have run out, sooner than expected.
                connection_limit.evict_idle()
                await anyio.sleep(_RETRY_SECONDS)
        else:
            if not self._accepted:
                await connection_limit.wait()

    def _accept(self, most: int) -> None:
        """Accept what is waiting to be.

        Raises:
            BlockingIOError: If nothing is.
        """
        try:
            while len(self._accepted) < min(most, _BATCH):
                self._accepted.append(self._socket.accept()[0])
        except OSError:
            if not self._accepted:
                raise


async def _serve_connection(
    sock: socket.socket,
    frontend: Frontend,
    tasks: TaskGroup,
    connection_limit: ConnectionLimit,
    tls: TlsHandshake | None,
) -> None:
    """Serve one connection, from the handshake to its end."""
    try:
        sock.setblocking(False)
        # Without this a small packet may wait 40 ms for the acknowledgement of the last one.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with PeerTimeout() as peer_timeout, connection_limit.slot(peer_timeout):
            stream: PlainStream | TlsStream = (
                PlainStream(sock, peer_timeout)
                if tls is None
                else await tls.accept(sock, peer_timeout, tasks)
            )
            connection_limit.mark_established(peer_timeout)
            try:
                await frontend(stream)
            finally:
                stream.close()
    except (PeerLostError, OSError) as exc:
        log.debug("connection lost: %s", exc)
    except Exception:
        # A bug of ours must not take the other devices' connections with it.
        log.exception("a connection ended with an error of the emulator")
    finally:
        with suppress(OSError):
            sock.close()


def _bind(sock: socket.socket, address: Any) -> None:
    sock.setblocking(False)
    if os.name == "posix":  # elsewhere it would let two processes share a port
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    sock.bind(address)
    sock.listen(BACKLOG)


def _bind_error(host: str, port: int, setting: str, exc: OSError) -> ConfigurationError:
    match exc.errno:
        case errno.EADDRINUSE:
            what, hint = "is in use", "stop what uses it, or choose another port; 0 takes any"
        case errno.EACCES:
            what, hint = "needs privileges", "choose a port over 1023"
        case _:
            what, hint = f"cannot be used: {exc.strerror or exc}", "use an address of this machine"

    return ConfigurationError(f"port {port} on {host!r} {what}", setting=setting, hint=hint)
