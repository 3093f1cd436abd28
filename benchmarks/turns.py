"""Client and service take turns, so that what a device costs is the same each time.

    python -m benchmarks.turns DESCRIPTOR emulator ...    # the service, for benchmarks/costs.py

A client that is held up, on a busy machine, finds more bytes whenever it looks, and waits less
often than on a quiet one. Here the service stands still while the client computes. When the client
has nothing left to do it gives the turn, and gets it back when the service has nothing left to do
either: how long each took changes nothing. Both are told by a pair of sockets.
"""

from __future__ import annotations

import os
import runpy
import selectors
import sys
from functools import partial

Ready = list[tuple[selectors.SelectorKey, int]]

SYSTEM_CALLS = {"readv", "writev"}
"""Nothing else makes these, so that they can be told from the client's own."""
_LONGEST = 0.1
"""Seconds that the client waits for something else than the service, until the next turn."""


def _give(descriptor: int) -> None:
    os.writev(descriptor, [b"."])


def _take(descriptor: int) -> bool:
    """Wait for the turn; return whether there still is a peer that gives it."""
    return os.readv(descriptor, [bytearray(1)]) > 0


class ClientSelector(selectors.EpollSelector):
    """That of a client's event loop: gives the turn whenever the loop would wait."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self._turns = turns

    def select(self, timeout: float | None = None) -> Ready:
        """Return what is ready after the service's turn."""
        if timeout == 0:
            return super().select(0)

        _give(self._turns)
        if not _take(self._turns):
            raise ConnectionError("the service has ended")

        return super().select(_LONGEST if timeout is None else min(timeout, _LONGEST))


class ServiceSelector(selectors.EpollSelector):
    """That of the service's event loop: stands still from one turn to the next.

    When there is nobody left to give the turn it interrupts the loop, and runs free until the end.
    """

    def __init__(self, turns: int) -> None:
        super().__init__()
        self._turns = turns
        self._has_turn = False
        self._free = False

    def select(self, timeout: float | None = None) -> Ready:
        """Return what is ready, if need be after the client's turn; nothing, if timers may be.

        Raises:
            KeyboardInterrupt: There is nobody left who gives the turn.
        """
        if self._free:
            return super().select(timeout)

        ready = super().select(0)
        if ready or timeout == 0:
            return ready

        if self._has_turn:
            _give(self._turns)

        self._has_turn = _take(self._turns)
        self._free = not self._has_turn
        if self._free:
            raise KeyboardInterrupt

        return super().select(0)


def main() -> None:
    """Run aiodps in an event loop that takes turns."""
    _, turns, *sys.argv[1:] = sys.argv
    selectors.DefaultSelector = partial(ServiceSelector, int(turns))  # type: ignore[misc,assignment]  # asyncio's
    runpy.run_module("aiodps", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
