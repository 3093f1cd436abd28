"""Connections to the admin port that have not shown the token: few, short, the newest first.

Any process of this machine may connect, and must not keep the operator out. So connections without
the token have a few seconds in all, and when there are many, the oldest ends for the newest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import anyio

from aiodps.emulator.connections.timeouts import PeerTimeout

MOST: Final = 32
"""Most connections that may wait; one more ends the oldest."""
SECONDS: Final = 5.0
"""Seconds until a connection must have shown the token, whatever it sends."""
GRACE: Final = 0.5
"""Seconds in which no connection is ended for another: its request may be there already."""


class Strangers:
    """The connections that have not shown the token."""

    def __init__(self) -> None:
        self._since: dict[PeerTimeout, float] = {}

    @contextmanager
    def admitted(self, peer_timeout: PeerTimeout) -> Iterator[Callable[[], None]]:
        """Admit a connection for the duration of the block.

        Yields:
            A function to call once it has shown the token.
        """
        now = anyio.current_time()
        self._end_oldest(now)
        self._since[peer_timeout] = now
        scope = anyio.CancelScope(deadline=now + SECONDS)

        def known() -> None:
            self._since.pop(peer_timeout, None)
            scope.deadline = float("inf")

        try:
            with scope:
                yield known
        finally:
            self._since.pop(peer_timeout, None)

    def _end_oldest(self, now: float) -> None:
        """Make place for one more; they are in the order of their arrival."""
        for each, since in list(self._since.items())[: max(0, len(self._since) - MOST + 1)]:
            if since + GRACE < now:
                del self._since[each]
                each.end()
