"""Sockets without a network, which do as they are told."""

from __future__ import annotations

import ssl


class ScriptedSocket:
    """A TLS socket that gives, or raises, what it was told to."""

    def __init__(self, *inbound: bytes | OSError, takes: int | OSError = 1 << 20) -> None:
        self.inbound = list(inbound)
        self.takes = takes
        self.closed = False

    def recv(self, size: int) -> bytes:
        """Give the next thing."""
        if not self.inbound:
            raise ssl.SSLWantReadError

        item = self.inbound.pop(0)
        if isinstance(item, OSError):
            raise item

        assert len(item) <= size
        return item

    def send(self, data: bytes) -> int:
        """Take a part."""
        if isinstance(self.takes, OSError):
            raise self.takes

        return min(self.takes, len(data))

    def pending(self) -> int:
        """Tell what TLS holds."""
        return 0

    def fileno(self) -> int:
        """Give a number."""
        return 7

    def close(self) -> None:
        """Close."""
        self.closed = True
