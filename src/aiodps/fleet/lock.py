"""One session of a run at a time: the folder is locked as long as its process lives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aiodps.errors import JournalError

try:
    import fcntl
except ModuleNotFoundError:  # Windows: the journals are locked all the same, only later
    fcntl = None  # type: ignore[assignment]  # there is no other way to say so

LOCK: Final = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder until the block ends; a killed process gives it up by dying.

    Raises:
        JournalError: If another process has it, or it cannot be written to.
    """
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as exc:
        raise JournalError(
            f"the folder {str(folder)!r} cannot be written to: {exc.strerror}", reason="unwritable"
        ) from exc

    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

        yield
    except BlockingIOError as exc:
        raise JournalError(
            f"the run in {str(folder)!r} is under way in another process",
            reason="in_use",
            hint="let it end, or stop it with Ctrl-C",
        ) from exc
    finally:
        os.close(handle)
