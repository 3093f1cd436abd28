"""Connections without TLS, for the admin port on loopback."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Final

import anyio
from cryptography import x509

from aiodps.emulator.connections.stream import PeerLostError
from aiodps.emulator.connections.timeouts import PeerTimeout

CHUNK: Final = 16384
"""Bytes received at once: the size of a TLS record."""
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 1 << 20


class PlainStream:
    """One connection without TLS, for one task; each await obeys its `peer_timeout`."""

    def __init__(self, sock: socket.socket, peer_timeout: PeerTimeout) -> None:
        self.peer_timeout = peer_timeout
        self.certificates: tuple[x509.Certificate, ...] = ()
        """Always empty without TLS."""
        self._socket = sock

    async def receive(self) -> bytes:
        """Return what has arrived, or b"" if the peer has ended the connection properly.

        Raises:
            PeerLostError: If the connection broke.
        """
        await anyio.wait_readable(self._socket)
        self.peer_timeout.renew()
        try:
            return self._socket.recv(CHUNK)
        except OSError as exc:
            raise PeerLostError("the peer has gone", explained=False) from exc

    async def send(self, data: bytes) -> None:
        """Send everything.

        Raises:
            PeerLostError: If the connection broke.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
                self.peer_timeout.renew()
            except OSError as exc:
                raise PeerLostError("the peer has gone", explained=False) from exc

    async def linger(self) -> None:
        """Let the peer read the last response: drop what it still sends, for a short while."""
        await linger(self._socket, self.peer_timeout)

    def reset(self) -> None:
        """End the connection at once, so that the peer sees it broken (RST)."""
        reset(self._socket)

    def close(self) -> None:
        """End the connection at once; may be called more than once."""
        self._socket.close()


def reset(sock: socket.socket) -> None:
    """Have the connection broken (RST) once the socket is closed."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def linger(sock: socket.socket, peer_timeout: PeerTimeout) -> None:
    """Shut down sending, and drop what is still received, for a short while.

    Closing a socket with unread bytes resets the connection, and the last response is lost.
    """
    peer_timeout.start(silence=LINGER_SECONDS, total=LINGER_SECONDS)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        taken = 0
        while taken < LINGER_BYTES:
            await anyio.wait_readable(sock)
            data = sock.recv(CHUNK)
            if not data:
                return

            taken += len(data)
