"""How many connections there may be: descriptors run out, and the process shall not go with them.

When there is no room left, a newcomer gets the place of the peer that has been silent longest.
Devices come back by themselves; and a crowd that says nothing cannot keep the others out.
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
"""A peer that has said something within that time keeps its place."""
_FEWEST: Final = 64
_MOST: Final = 100_000
_SHARE: Final = 32
"""When it is full, one place in so many is cleared at once: looking for them takes a while."""
_BREATH: Final = 0.05
"""Seconds until we look again whether there is room."""

log = logging.getLogger(__name__)


class ConnectionLimit:
    """The places for connections of one process, on all its ports together.

    A quarter of them is kept from peers that have not yet shaken hands, so that a crowd of these
    costs no device its connection.
    """

    def __init__(self, places: int | None = None) -> None:
        """Count the places.

        Args:
            places: How many there are; None for as many as the process has descriptors for.
        """
        self.places = places_for_descriptors() if places is None else places
        self._strangers = set[PeerTimeout]()
        self._settled = set[PeerTimeout]()
        self._told = False

    @property
    def taken(self) -> int:
        """How many connections there are."""
        return len(self._strangers) + len(self._settled)

    @property
    def left(self) -> int:
        """How many newcomers may come in now."""
        return min(self.places - self.taken, max(1, self.places * 3 // 4) - len(self._strangers))

    @contextmanager
    def place(self, peer_timeout: PeerTimeout) -> Iterator[None]:
        """Have a place, as long as the block runs."""
        self._strangers.add(peer_timeout)
        try:
            yield
        finally:
            self._strangers.discard(peer_timeout)
            self._settled.discard(peer_timeout)

    def mark_established(self, peer_timeout: PeerTimeout) -> None:
        """Note that a peer has shaken hands."""
        self._strangers.discard(peer_timeout)
        self._settled.add(peer_timeout)

    async def wait(self) -> int:
        """Wait for a place, and if need be make some; return how many there are."""
        while self.left <= 0:
            self.evict_idle()
            await anyio.sleep(_BREATH)

        return self.left

    def evict_idle(self) -> None:
        """End the connections that have been silent longest; those that count, last."""
        if not self._told:
            self._told = True
            log.warning(
                "no room for more connections than %d: the silent ones end; "
                "more file descriptors (ulimit -n) give more room",
                self.taken,
            )

        if not self._end(self._strangers) and self.taken >= self.places:
            self._end(self._settled)

    def _end(self, connections: set[PeerTimeout]) -> bool:
        """End the most silent of these, if any of them is silent at all."""
        before = anyio.current_time() - SILENT_SECONDS
        silent = (each for each in connections if each.renewed < before)
        ended = nsmallest(1 + self.places // _SHARE, silent, key=lambda one: one.renewed)
        for each in ended:
            each.end()

        return bool(ended)


def raise_descriptor_limit() -> None:
    """Let this process have as many descriptors as it may; for programs, not for libraries."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 (there is none on Windows)

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Where there is no limit, macOS still does not take any number.
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def places_for_descriptors() -> int:
    """Return how many connections this process may have without running out of descriptors."""
    if sys.platform == "win32":
        return _MOST

    import resource  # noqa: PLC0415 (there is none on Windows)

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return _MOST

    return max(_FEWEST, min(_MOST, limit - RESERVE))
