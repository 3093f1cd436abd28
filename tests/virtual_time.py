"""Event loops whose clock jumps to the next deadline when nothing else is left to do.

For tests without sockets and threads: what takes seconds takes none, and a busy machine changes
nothing. A module asks for it with a fixture of its own:

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
        return virtual_time(request.param)
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

import trio.testing


def virtual_time(backend: str) -> tuple[str, dict[str, Any]]:
    """Return a backend of anyio, and the options that give it such a clock."""
    if backend == "asyncio":
        return backend, {"loop_factory": _JumpingLoop}

    return backend, {"clock": trio.testing.MockClock(autojump_threshold=0)}


class _JumpingSelector(selectors.DefaultSelector):
    """Skips the time that it should wait."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; else what would be after a time that passes at once."""
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self.skipped += max(0.0, timeout)

        return ready


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the seconds that were skipped."""
        return self._jumping.skipped
