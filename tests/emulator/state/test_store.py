"""The store that keeps nothing."""

from __future__ import annotations

from aiodps.emulator.state.store import Document, Kind, MemoryStore, Store


def test_it_is_a_store_that_keeps_nothing() -> None:
    """Writing is allowed and of no consequence."""

    def never() -> Document:
        raise AssertionError("nobody reads it")

    store: Store = MemoryStore()
    store.put(Kind.GROUP, "fleet", never)
    store.commit()
    store.delete(Kind.GROUP, "none")

    assert list(store.load(Kind.GROUP)) == []
