"""The limit on open connections, so that the process never runs out of file descriptors.

At the limit, the connection that has been idle longest is closed for a new one. Devices reconnect
by themselves, and idle clients cannot keep the others out.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from heapq import nsmallest
from typing import Final

import anyio

from aiodps.emulator.connections.timeouts import PeerTimeout

RESERVE: Final = 128
"""Descriptors left to everything else: event loop, files, a database, calls to webhooks."""
SILENT_SECONDS: Final = 3.0
"""A peer that has made progress within that time keeps its connection."""
_FEWEST: Final = 64
_MOST: Final = 100_000
_SHARE: Final = 32
"""At the limit, one in this many connections is closed at once: finding idle ones takes long."""
_RETRY_SECONDS: Final = 0.05
"""Seconds between two looks at whether a slot is free."""

log: Final = logging.getLogger(__name__)


class ConnectionLimit:
    """Slots for connections, shared by all ports of the emulator.

    A quarter of them is reserved for peers that have completed the TLS handshake, so that many
    peers that have not cost no device its connection.
    """

    def __init__(self, capacity: int | None = None) -> None:
        """Set the limit.

        Args:
            capacity: Number of slots; None for as many as the process has descriptors for.
        """
        self.capacity: int = descriptor_capacity() if capacity is None else capacity
        self.completed: int = 0
        """TLS handshakes so far that were completed."""
        self.failed: int = 0
        """TLS handshakes so far that were not completed, whichever side ended them."""
        self._handshaking = set[PeerTimeout]()
        self._established = set[PeerTimeout]()
        self._warned = False

    @property
    def taken(self) -> int:
        """Number of open connections."""
        return self.handshaking + self.established

    @property
    def handshaking(self) -> int:
        """Number of open connections that have not completed the TLS handshake."""
        return len(self._handshaking)

    @property
    def established(self) -> int:
        """Number of open connections that have."""
        return len(self._established)

    @property
    def free(self) -> int:
        """Number of connections that may be accepted now."""
        return min(
            self.capacity - self.taken, max(1, self.capacity * 3 // 4) - len(self._handshaking)
        )

    @contextmanager
    def slot(self, peer_timeout: PeerTimeout) -> Iterator[None]:
        """Hold a slot for as long as the block runs."""
        self._handshaking.add(peer_timeout)
        try:
            yield
        finally:
            self.failed += peer_timeout in self._handshaking
            self._handshaking.discard(peer_timeout)
            self._established.discard(peer_timeout)

    def mark_established(self, peer_timeout: PeerTimeout) -> None:
        """Record that a peer has completed the handshake."""
        self.completed += 1
        self._handshaking.discard(peer_timeout)
        self._established.add(peer_timeout)

    async def wait(self) -> int:
        """Wait for free slots, closing idle connections if need be; return their number."""
        while self.free <= 0:
            self.evict_idle()
            await anyio.sleep(_RETRY_SECONDS)

        return self.free

    def evict_idle(self) -> None:
        """Close the connections that have been idle longest, established ones only if need be."""
        if not self._warned:
            self._warned = True
            log.warning(
                "the limit of %d connections is reached: idle ones are closed; "
                "more file descriptors (ulimit -n) raise the limit",
                self.taken,
            )

        if not self._end(self._handshaking) and self.taken >= self.capacity:
            self._end(self._established)

    def _end(self, connections: set[PeerTimeout]) -> bool:
        """Close the idlest of these; False if none of them is idle."""
        before = anyio.current_time() - SILENT_SECONDS
        silent = (each for each in connections if each.renewed < before)
        ended = nsmallest(1 + self.capacity // _SHARE, silent, key=lambda one: one.renewed)
        for each in ended:
            each.end()

        return bool(ended)


def raise_descriptor_limit() -> None:
    """Raise the limit on file descriptors as far as allowed; for programs, not for libraries."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 (there is none on Windows)

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Where there is no limit, macOS still does not take any number.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def descriptor_capacity() -> int:
    """Return the number of connections that the process has descriptors for."""
    if sys.platform == "win32":
        return _MOST

    import resource  # noqa: PLC0415 (there is none on Windows)

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return _MOST

    return max(_FEWEST, min(_MOST, limit - RESERVE))
