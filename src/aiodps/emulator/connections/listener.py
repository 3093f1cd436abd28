"""A port: accepts connections, shakes hands, and gives each a task of its own."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup
from OpenSSL import SSL

from aiodps.emulator.connections.patience import Patience
from aiodps.emulator.connections.tls import PeerLostError, TlsStream
from aiodps.errors import ConfigurationError

BACKLOG: Final = 4096
"""Connections the kernel holds for us. With the usual 100, a burst of 2,000 overflows."""
_BATCH: Final = 256
"""Connections accepted before the others get their turn."""
_BREATH: Final = 0.05
"""Seconds to wait when this machine has run out of file descriptors."""

log = logging.getLogger(__name__)


class Listener:
    """One listening socket with TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.host, self.port = sock.getsockname()[:2]

    @classmethod
    def bind(cls, host: str, port: int, *, setting: str) -> Self:
        """Take a port.

        Args:
            host: An address or a name of this machine.
            port: 0 for any free one.
            setting: What the port is called where the caller has it from, for the error.

        Raises:
            ConfigurationError: If it is taken, or not ours to take.
        """
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as exc:
            raise _not_ours(host, port, setting, exc) from exc

        try:
            if os.name == "posix":  # elsewhere it would let two processes share a port
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

            sock.setblocking(False)
            sock.bind(address)
            sock.listen(BACKLOG)
        except OSError as exc:
            sock.close()
            raise _not_ours(host, port, setting, exc) from exc

        return cls(sock)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    async def serve(
        self,
        context: SSL.Context,
        front: Callable[[TlsStream], Awaitable[None]],
        tasks: TaskGroup,
    ) -> None:
        """Accept connections until cancelled; what one of them does never ends the others."""
        while True:
            await anyio.wait_readable(self._socket)
            try:
                for _ in range(_BATCH):
                    sock, _peer = self._socket.accept()
                    tasks.start_soon(_converse, sock, context, front)
            except BlockingIOError:
                pass
            except OSError as exc:
                # The peer has gone already, or we are out of descriptors or memory.
                await anyio.sleep(0 if exc.errno == errno.ECONNABORTED else _BREATH)


async def _converse(
    sock: socket.socket, context: SSL.Context, front: Callable[[TlsStream], Awaitable[None]]
) -> None:
    """See one connection through, from the handshake to the end."""
    try:
        sock.setblocking(False)
        # Without this a small packet may wait 40 ms for the acknowledgement of the last one.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with Patience() as patience:
            stream = TlsStream(sock, context, patience)
            try:
                await _shake_hands(stream)
                await front(stream)
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


async def _shake_hands(stream: TlsStream) -> None:
    """Shake hands; what TLS says of a failure is worth reading: a device is misconfigured."""
    try:
        await stream.handshake()
    except PeerLostError as exc:
        log.log(logging.INFO if exc.told else logging.DEBUG, "TLS handshake failed: %s", exc)
        raise


def _not_ours(host: str, port: int, setting: str, exc: OSError) -> ConfigurationError:
    match exc.errno:
        case errno.EADDRINUSE:
            what, hint = "is in use", "stop what uses it, or choose another port; 0 takes any"
        case errno.EACCES:
            what, hint = "needs privileges", "choose a port over 1023"
        case _:
            what, hint = f"cannot be used: {exc.strerror or exc}", "use an address of this machine"

    return ConfigurationError(f"port {port} on {host!r} {what}", setting=setting, hint=hint)
