"""The store of an instance that lives as long as its process."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiodps.emulator.state.store import Document, Kind


class MemoryStore:
    """Keeps nothing: what the collections hold in memory is all there is."""

    def load(self, kind: Kind) -> Iterable[tuple[str, Document]]:  # noqa: ARG002 (a Store)
        """Return nothing."""
        return ()

    def put(self, kind: Kind, key: str, write: Callable[[], Document]) -> None:
        """Do nothing."""

    def delete(self, kind: Kind, key: str) -> None:
        """Do nothing."""

    def commit(self) -> None:
        """Do nothing."""
