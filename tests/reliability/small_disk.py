"""A cache on a small file system of its own, which gets full and then read-only."""

from __future__ import annotations

import contextlib
import errno
import subprocess
import sys
from pathlib import Path

from tests.assignments.stored import assignment, key, look_up, number_of

from aiodps import AssignmentCache
from aiodps.assignments.cache_file import Miss


def refused(cache: AssignmentCache, number: int) -> int | None:
    """Store something in vain, and return the number of the error."""
    try:
        cache.store(key(), assignment(number=number))
    except OSError as exc:
        return exc.errno

    return None


def fill(folder: Path) -> None:
    """Leave no byte of the disk."""
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(512))


def main(folder: Path) -> None:
    """Find what was stored, or nothing: never what is out of date, unless nothing can be removed."""
    cache = AssignmentCache(folder / "cache")
    cache.store(key(), assignment(number=1))
    fill(folder)
    assert number_of(look_up(cache, "press-4")) == 1
    assert refused(cache, 2) == errno.ENOSPC
    assert isinstance(look_up(cache, "press-4"), Miss)
    assert list(cache.folder.iterdir()) == []

    (folder / "filler").unlink()
    cache.store(key(), assignment(number=3))
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    assert refused(cache, 4) == errno.EROFS
    assert number_of(look_up(cache, "press-4")) == 3


if __name__ == "__main__":
    main(Path(sys.argv[1]))
