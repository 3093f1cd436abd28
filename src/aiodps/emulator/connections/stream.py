"""The interface of streams: bytes to and from one peer, bounded in time."""

from __future__ import annotations

from typing import Protocol

from cryptography import x509

from aiodps.emulator.connections.timeouts import PeerTimeout


class PeerLostError(Exception):
    """The connection to the peer is lost."""

    def __init__(self, reason: str, *, explained: bool) -> None:
        super().__init__(reason)
        self.explained = explained
        """Whether the reason is worth logging: a TLS alert, or an error of the handshake."""


class Stream(Protocol):
    """One connection, for one task; each await obeys its `peer_timeout`."""

    peer_timeout: PeerTimeout
    certificates: tuple[x509.Certificate, ...]
    """The client's certificates, leaf first, as sent; empty if it presented none."""

    async def receive(self) -> bytes:
        """Return what has arrived, or b"" if the peer has ended the connection properly.

        Raises:
            PeerLostError: If the connection broke.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Send everything.

        Raises:
            PeerLostError: If the connection broke.
        """
        ...

    async def linger(self) -> None:
        """Let the peer read the last response: drop what it still sends, for a short while."""
        ...

    def reset(self) -> None:
        """End the connection at once, so that the peer sees it broken (RST)."""
        ...
