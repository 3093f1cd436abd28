"""Timeouts of peers: one deadline for each connection, moved as the peer makes progress."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Final, Self

import anyio

RESPONSE_SECONDS: Final = 60.0
"""Seconds in which the peer must accept a response, however long its request took."""
_TOLERANCE: Final = 0.1
"""Share of the silence below which a deadline is not moved, as that costs more than to compare."""


class PeerTimeout:
    """The deadline of a connection; when it passes, whatever waits for the peer is cancelled.

    One scope serves a connection from the first byte to the last: moving its deadline is cheap,
    a new scope for each read is not.
    """

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()
        self._deadline = math.inf
        self._silence = math.inf
        self._latest = math.inf
        loop = asyncio_loop()
        self._now = anyio.current_time if loop is None else loop.time
        self.renewed: float = self._now()
        """Time of the peer's latest progress, by the event loop's clock."""

    def start(self, *, silence: float, total: float = math.inf) -> None:
        """Start an exchange of at most `total` seconds, and `silence` seconds without progress."""
        now = self._now()
        self._silence = silence
        self._latest = now + total
        self._move(now + min(silence, total))

    def renew(self) -> None:
        """Record progress."""
        now = self._now()
        self.renewed = now
        self._move(min(now + self._silence, self._latest))

    def ensure(self, seconds: float) -> None:
        """Extend the deadline to at least this many seconds from now."""
        if self._deadline - self._now() < seconds:
            self.start(silence=seconds)

    def end(self) -> None:
        """End the connection now."""
        self._scope.cancel()

    def _move(self, deadline: float) -> None:
        if not 0 <= deadline - self._deadline < self._silence * _TOLERANCE:
            self._deadline = self._scope.deadline = deadline

    def __enter__(self) -> Self:
        self._scope.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return bool(self._scope.__exit__(exc_type, exc, traceback))


def asyncio_loop() -> asyncio.AbstractEventLoop | None:
    """Return asyncio's running event loop; None on trio."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
