"""What the fronts speak over: bytes to and from one peer, bounded in time."""

from __future__ import annotations

from typing import Protocol

from cryptography import x509

from aiodps.emulator.connections.timeouts import PeerTimeout


class PeerLostError(Exception):
    """The peer has gone, or what it sends is not TLS."""

    def __init__(self, reason: str, *, explained: bool) -> None:
        super().__init__(reason)
        self.explained = explained
        """Whether TLS says why: an alert of the peer's, or what we could not take."""


class Stream(Protocol):
    """One connection, for one task; any await in it obeys its `patience`."""

    peer_timeout: PeerTimeout
    certificates: tuple[x509.Certificate, ...]
    """The client's certificates, leaf first, as sent; empty if it showed none."""

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
        """Let the peer read the last answer: take what it still sends, for a short while."""
        ...

    def reset(self) -> None:
        """End the connection at once, so that the peer sees it broken (RST)."""
        ...
