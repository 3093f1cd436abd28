"""How long a peer may take: one deadline for a connection, moved as the peer makes progress."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Final, Self

import anyio

RESPONSE_SECONDS: Final = 60.0
"""Seconds that the peer has to take an answer, however long it took to ask."""
_NOT_WORTH_IT: Final = 0.1
"""Share of the silence by which a deadline need not be moved: that costs more than to look."""


class PeerTimeout:
    """The time a connection has left; when it runs out, whatever waits for the peer is ended.

    One scope serves a connection from the first byte to the last: moving its deadline is cheap,
    a new scope for each read is not.
    """

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()
        self._silence = math.inf
        self._latest = math.inf
        self.renewed = anyio.current_time()
        """When the peer made progress last, by the event loop's clock."""

    def start(self, *, silence: float, total: float = math.inf) -> None:
        """Begin something that may take `total` seconds, of them `silence` without progress."""
        now = anyio.current_time()
        self._silence = silence
        self._latest = now + total
        self._move(now + min(silence, total))

    def renew(self) -> None:
        """Note progress."""
        self.renewed = now = anyio.current_time()
        self._move(min(now + self._silence, self._latest))

    def ensure(self, seconds: float) -> None:
        """Leave so many seconds at least, whatever has been taken already."""
        if self._scope.deadline - anyio.current_time() < seconds:
            self.start(silence=seconds)

    def end(self) -> None:
        """End the connection now."""
        self._scope.cancel()

    def _move(self, deadline: float) -> None:
        later = deadline - self._scope.deadline
        if not 0 <= later < self._silence * _NOT_WORTH_IT:
            self._scope.deadline = deadline

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
