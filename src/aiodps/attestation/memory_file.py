"""Key material as a file, because Python's ssl module loads it from files only."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_file(data: bytes) -> Iterator[str]:
    """Return a path to a temporary file with the data.

    On Linux the file is in memory only (memfd). Elsewhere it is a temporary file on disk, which
    only the user can read and which is removed at the end of the block.
    """
    if hasattr(os, "memfd_create") and _shows_open_files():
        handle = os.memfd_create("aiodps", os.MFD_CLOEXEC)
        try:
            os.write(handle, data)  # as a whole: it is memory
            yield f"/proc/self/fd/{handle}"
        finally:
            os.close(handle)

        return

    with _named(data) as path:
        yield path


@functools.cache
def _shows_open_files() -> bool:
    return os.path.isdir("/proc/self/fd")  # noqa: PTH112 (no pathlib for a probe)


@contextmanager
def _named(data: bytes) -> Iterator[str]:
    handle, path = tempfile.mkstemp(prefix="aiodps-")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)

        yield path
    finally:
        os.unlink(path)  # noqa: PTH108 (the counterpart of mkstemp)
