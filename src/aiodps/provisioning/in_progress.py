"""`InProgress`: the registrations that a client has not finished."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from aiodps.errors import UsageError


@final
class InProgress:
    """The registration ids that are being registered, by any task or thread."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def only(self, registration_id: str) -> Iterator[None]:
        """Register an id during the block: a second registration would take over the MQTT session.

        Raises:
            UsageError: If it is being registered already, in whatever case it is written.
        """
        name = registration_id.casefold()
        with self._lock:
            if name in self._ids:
                raise UsageError(
                    f"this client is registering {registration_id!r} already",
                    hint="await the first registration, or use a separate id for each device",
                ).locate(registration_id=registration_id)

            self._ids.add(name)

        try:
            yield
        finally:
            with self._lock:
                self._ids.discard(name)
