"""Virtual time: a clock that stands still while anything runs, and then jumps to what is next.

For tests about time without a peer outside of their event loop: hours pass at once, and what is
measured is exact on any machine. Sockets of a pair (`socket.socketpair`) are fine.
"""

from __future__ import annotations

import asyncio
import selectors

import pytest
import trio.testing


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: when no socket is ready the time has come at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; wait only if there is nothing to jump to."""
        ready = super().select(0 if timeout else timeout)
        if not ready and timeout:
            self.now += timeout

        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Event loop of asyncio in virtual time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._jumping.now


virtual_time = pytest.mark.parametrize(
    "anyio_backend",
    [
        pytest.param(("asyncio", {"loop_factory": VirtualLoop}), id="asyncio"),
        pytest.param(("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}), id="trio"),
    ],
)
"""Marks a test that runs in virtual time, on both event loops."""
