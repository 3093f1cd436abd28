"""A process of aiodps's own collects garbage in full rarely, and leaves no trace of it."""

from __future__ import annotations

import gc

from aiodps.process.garbage_collection import few_full_collections


def test_few_full_collections() -> None:
    """The thresholds of the process are as before afterwards, however they are nested."""
    before = gc.get_threshold()
    with few_full_collections():
        young, middle, old = gc.get_threshold()
        with few_full_collections():
            pass

        assert gc.get_threshold() == (young, middle, old)

    assert (young, middle) == before[:2]
    assert old > before[2]
    assert gc.get_threshold() == before
