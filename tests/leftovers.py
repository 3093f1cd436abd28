"""What a block of code leaves behind, told by name: counts would include what other tests end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")


def descriptors() -> set[str]:
    """Name what this process has open: files by path, sockets and pipes by inode."""
    names = set()
    for entry in _DESCRIPTORS.iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile, as that of the listing is
            names.add(str(entry.readlink()))

    return names


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Fail unless every descriptor and thread that the block has opened is gone at its end."""
    files, threads = descriptors(), set(threading.enumerate())
    yield
    assert not descriptors() - files
    assert not set(threading.enumerate()) - threads
