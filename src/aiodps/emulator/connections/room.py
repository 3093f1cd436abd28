"""How many connections there may be: descriptors run out, and the process shall not go with them.

When there is no room left, a newcomer gets the place of the peer that has been silent longest.
Devices come back by themselves; and a crowd that says nothing cannot keep the others out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import nsmallest
from typing import Final

import anyio

from aiodps.emulator.connections.patience import Patience

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


class Room:
    """The places for connections of one process, on all its ports together."""

    def __init__(self, places: int | None = None) -> None:
        """Count the places.

        Args:
            places: How many there are; None for as many as the process has descriptors for.
        """
        self.places = places_for_descriptors() if places is None else places
        self._taken: set[Patience] = set()

    @property
    def taken(self) -> int:
        """How many connections there are."""
        return len(self._taken)

    @contextmanager
    def place(self, patience: Patience) -> Iterator[None]:
        """Have a place, as long as the block runs."""
        self._taken.add(patience)
        try:
            yield
        finally:
            self._taken.discard(patience)

    async def wait(self) -> int:
        """Wait for a place, and if need be make some; return how many there are."""
        while self.taken >= self.places:
            self.clear()
            await anyio.sleep(_BREATH)

        return self.places - self.taken

    def clear(self) -> None:
        """End the connections that have been silent longest."""
        before = anyio.current_time() - SILENT_SECONDS
        silent = (each for each in self._taken if each.renewed < before)
        for each in nsmallest(1 + self.places // _SHARE, silent, key=lambda one: one.renewed):
            each.end()


def places_for_descriptors() -> int:
    """Return how many connections this process may have without running out of descriptors."""
    if sys.platform == "win32":
        return _MOST

    import resource  # noqa: PLC0415 (there is none on Windows)

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(_FEWEST, min(_MOST, limit - RESERVE))
