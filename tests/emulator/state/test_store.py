"""The store that keeps nothing, and what is said of a store that keeps nonsense."""

from __future__ import annotations

import pytest
from tests.certificates import root

from aiodps.emulator.state.credentials import from_document, to_document
from aiodps.emulator.state.store import Document, Kind, MemoryStore, Store, reading
from aiodps.errors import ConfigurationError
from aiodps.pki import Authority


def test_it_is_a_store_that_keeps_nothing() -> None:
    """Writing is allowed and of no consequence."""

    def never() -> Document:
        raise AssertionError("nobody reads it")

    store: Store = MemoryStore()
    store.put(Kind.GROUP, "fleet", never)
    store.commit()
    store.delete(Kind.GROUP, "none")

    assert list(store.load(Kind.GROUP)) == []


@pytest.mark.parametrize(
    "document",
    [[], None, {}, {"certificate": 1}, to_document(root().device("device-1"))],
    ids=["a list", "null", "empty", "a number", "not a CA"],
)
def test_a_row_that_is_not_what_it_should_be(document: Document) -> None:
    """The state file is named, and what in it is wrong."""
    with pytest.raises(ConfigurationError, match="holds a bad issuer"), reading(Kind.ISSUER):
        from_document(Authority, document)
