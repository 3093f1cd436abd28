"""How long a peer may take: one deadline for a connection, moved as the peer makes progress."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Self

import anyio


class Patience:
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

    def begin(self, *, silence: float, total: float = math.inf) -> None:
        """Begin something that may take `total` seconds, of them `silence` without progress."""
        self._silence = silence
        self._latest = anyio.current_time() + total
        self._move()

    def renew(self) -> None:
        """Note progress."""
        self.renewed = anyio.current_time()
        self._move()

    def end(self) -> None:
        """End the connection now."""
        self._scope.cancel()

    def _move(self) -> None:
        self._scope.deadline = min(anyio.current_time() + self._silence, self._latest)

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
