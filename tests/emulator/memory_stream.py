"""A connection in memory: a peer that has said everything already, and remembers the answers."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509

from aiodps.emulator.connections.patience import Patience
from aiodps.emulator.connections.stream import PeerLostError


class MemoryStream:
    """Gives out its pieces one after the other, and then the end."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        patience: Patience,
        certificates: tuple[x509.Certificate, ...] = (),
        *,
        breaks: bool = False,
    ) -> None:
        """Prepare what the peer says.

        Args:
            pieces: What arrives, as it is cut.
            patience: Of the connection.
            certificates: What the peer has shown.
            breaks: Whether it breaks the connection instead of ending it.
        """
        self.patience = patience
        self.certificates = certificates
        self.sent: list[bytes] = []
        self._pieces = iter(pieces)
        self._breaks = breaks

    async def receive(self) -> bytes:
        """Return the next piece."""
        piece = next(self._pieces, b"")
        if not piece and self._breaks:
            raise PeerLostError("the peer has gone", told=False)

        return piece

    async def send(self, data: bytes) -> None:
        """Remember it."""
        self.sent.append(bytes(data))

    async def linger(self) -> None:
        """Nobody is there to wait for."""

    def reset(self) -> None:
        """There is no connection to break."""
