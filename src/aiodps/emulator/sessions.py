"""Sessions of MQTT: one for each client, the newest, wherever its connection is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Sessions:
    """The sessions of an instance."""

    def __init__(self) -> None:
        self._end: dict[str, Callable[[], None]] = {}

    @contextmanager
    def enter(self, client: str, *, end: Callable[[], None]) -> Iterator[None]:
        """Hold the session of a client; end the older one, if there is one (3.1.4-2)."""
        older = self._end.get(client)
        self._end[client] = end
        if older is not None:
            older()

        try:
            yield
        finally:
            if self._end.get(client) is end:
                del self._end[client]
