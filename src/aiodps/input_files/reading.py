"""Reading of a file: a regular one, or a pipe, within bounds of size and time."""

from __future__ import annotations

import os
import stat
import sys
import time
import warnings
from pathlib import Path
from typing import Final

from aiodps.input_files.origin import Origin

try:
    from select import POLLIN, poll
except ImportError:  # Windows, which has no pipes with a path
    poll = None  # type: ignore[assignment,misc]  # there is no other way to say so

MAX_BYTES: Final = 1024 * 1024
"""Maximum size of most files."""
MAX_LIST_BYTES: Final = 256 * 1024 * 1024
"""Maximum size of lists of devices or enrollments."""
PIPE_TIMEOUT: Final = 10.0
"""Seconds in which a pipe has to deliver everything."""

_CHUNK = 64 * 1024
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class InsecureKeyFileWarning(UserWarning):
    """Warning about a file with a key that other users of the machine can read."""


def read(origin: Origin, *, limit: int = MAX_BYTES, again: bool = False) -> bytes:
    """Return the content of a file.

    A pipe may be `/dev/stdin`, a FIFO or what a shell makes of `<(command)`.

    Args:
        origin: The file; its `path` is not None.
        limit: Maximum size in bytes.
        again: Whether it will be read again, which a pipe cannot be.

    Raises:
        ProvisioningError: Of the origin's kind, if it cannot be read within the bounds. Reasons:
            "unreadable", "not_regular", "too_large", "timeout".
    """
    assert origin.path is not None  # noqa: S101 (the caller's part)
    try:
        handle = os.open(origin.path, _FLAGS)
    except OSError as exc:
        raise _unreadable(origin, exc) from None  # the cause would repeat the name

    try:
        data = _read(origin, handle, limit, again=again)
    except OSError as exc:
        raise _unreadable(origin, exc) from None
    finally:
        os.close(handle)

    if len(data) > limit:
        raise origin.error(
            f"is too large: it has more than {limit} bytes",
            reason="too_large",
            hint="check that it is the right file",
        )

    return data


def _read(origin: Origin, handle: int, limit: int, *, again: bool) -> bytes:
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return _read_regular(handle, limit)

    if stat.S_ISFIFO(mode) and poll is not None and not again:
        return _read_pipe(origin, handle, limit)

    raise origin.error(_irregular(mode), reason="not_regular", hint="give a regular file")


def _read_regular(handle: int, limit: int) -> bytes:
    """Read until the end, or more than the limit, in chunks: most files are small."""
    data = bytearray()
    while chunk := os.read(handle, _CHUNK):
        data += chunk
        if len(data) > limit:
            break

    return bytes(data)


def _irregular(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "is a directory"

    if stat.S_ISFIFO(mode):
        return "is a pipe, and it is read more than once"

    return "is not a regular file"


def _read_pipe(origin: Origin, handle: int, limit: int) -> bytes:
    ready = poll()
    ready.register(handle, POLLIN)
    data = bytearray()
    ends = time.monotonic() + PIPE_TIMEOUT
    while len(data) <= limit:
        chunk = _read_chunk(handle)
        if chunk:
            data += chunk
            continue

        if data and chunk is not None:
            break

        events = ready.poll(max(0.0, ends - time.monotonic()) * 1000)
        if not events:
            raise origin.error(
                f"is a pipe that was not written to its end within {PIPE_TIMEOUT:g} s",
                reason="timeout",
                hint="give a regular file, or a command that writes it and ends",
            )

        if not events[0][1] & POLLIN:
            break

    return bytes(data)


def _read_chunk(handle: int) -> bytes | None:
    """Read what a pipe holds; nothing if it has no writer, None if the writer is to be awaited."""
    try:
        return os.read(handle, _CHUNK)
    except BlockingIOError:
        return None


def _unreadable(origin: Origin, exc: OSError) -> Exception:
    return origin.error(
        f"cannot be read: {exc.strerror}",
        reason="unreadable",
        hint="check the path and its permissions",
    )


def warn_if_others_may_read(path: Path) -> None:
    """Warn if other users can read a file with a key; for a link, its target counts."""
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    foreign = hasattr(os, "geteuid") and status.st_uid not in {0, os.geteuid()}
    if os.name == "posix" and stat.S_ISREG(status.st_mode) and (mode & 0o077 or foreign):
        warnings.warn(
            f"other users can read the key file {str(path)!r} (mode {mode:04o}); "
            f"restrict it with: chmod 600 {str(path)!r}",
            InsecureKeyFileWarning,
            stacklevel=_levels_of_this_package(),
        )


def _levels_of_this_package() -> int:
    """Return the stack level of the first caller outside of this package."""
    package = str(Path(__file__).parents[1])
    frame, level = sys._getframe(1), 1  # noqa: SLF001 (as `warnings` itself does)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1

    return level
