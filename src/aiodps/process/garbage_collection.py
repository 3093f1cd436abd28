"""Garbage collection of a process that has thousands of connections."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_FULL_COLLECTION = 1000
"""Collections of the middle generation before a full one; Python's default is 10."""


@contextlib.contextmanager
def few_full_collections() -> Iterator[None]:
    """Make full garbage collections rare until the block ends.

    Each stops the event loop while it looks at every object, for most of a second with ten
    thousand devices in flight, and finds nothing (`benchmarks/waiting.py`). The thresholds are
    those of the process.
    """
    young, middle, old = gc.get_threshold()
    if old >= _FULL_COLLECTION:
        yield
        return

    gc.set_threshold(young, middle, _FULL_COLLECTION)
    try:
        yield
    finally:
        gc.set_threshold(young, middle, old)
