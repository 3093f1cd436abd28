"""Files that are replaced when written: complete or not at all, and never through a link.

A file of the same name may have been put there by somebody else, as a link to another file, or
with a mode that lets others read it. So nothing is ever written into it: a new file with a name
that nobody can guess takes its place.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

_DRAFT: Final = re.compile(r"\..+\.[0-9a-f]{16}")
_ABANDONED: Final = 3600.0
"""Seconds after which the writer of a draft must have been killed."""


@contextmanager
def fresh_file(path: Path, *, mode: int = 0o666, durable: bool = False) -> Iterator[TextIO]:
    """Open a text file (UTF-8, line ends as written) that takes its place when the block ends.

    Args:
        path: Its place; a file or a link that is there is replaced.
        mode: Its mode from the start, limited by the umask.
        durable: Whether it has to outlast a power failure once the block has ended.

    Raises:
        OSError: If it cannot be written; what was there is unchanged.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(
            draft,
            "x",
            encoding="utf-8",
            newline="",
            opener=lambda name, flags: os.open(name, flags, mode),
        ) as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())

        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise

    if durable:
        with suppress(OSError):  # some file systems have no such call
            sync_folder(path.parent)


def write_fresh(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a whole text file; see `fresh_file`.

    Raises:
        OSError: If it cannot be written; what was there is unchanged.
    """
    with fresh_file(path, mode=mode) as file:
        file.write(text)


def remove_drafts(folder: Path) -> None:
    """Remove the drafts of writers that were killed; what cannot be removed stays."""
    with suppress(OSError), os.scandir(folder) as found:
        for each in found:
            old = time.time() - each.stat(follow_symlinks=False).st_mtime > _ABANDONED
            if _DRAFT.fullmatch(each.name) and old:
                Path(each).unlink()


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; Windows has no call for that."""
    if not hasattr(os, "O_DIRECTORY"):
        return

    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
