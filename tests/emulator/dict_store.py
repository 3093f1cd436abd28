"""A store in memory, that outlives who writes to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from aiodps.emulator.state.store import Document, Kind


class DictStore:
    """A store that forgets when it goes."""

    def __init__(self) -> None:
        self.documents: dict[tuple[Kind, str], str] = {}

    def load(self, kind: Kind) -> Iterable[tuple[str, Document]]:
        """Go through the documents of a kind."""
        kept = list(self.documents.items())
        return [(key, json.loads(text)) for (each, key), text in kept if each is kind]

    def put(self, kind: Kind, key: str, write: Callable[[], Document]) -> None:
        """Keep a document."""
        self.documents[kind, key] = json.dumps(write())

    def delete(self, kind: Kind, key: str) -> None:
        """Forget a document."""
        self.documents.pop((kind, key), None)

    def commit(self) -> None:
        """Do nothing."""
