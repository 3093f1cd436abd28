"""Reading credential files: never blocking, never more than a file that can be one."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path

from aiodps.errors import CertificateError, CredentialError

MOST_BYTES = 1024 * 1024
"""A certificate or key file of more than a megabyte is something else."""


class InsecureKeyFileWarning(UserWarning):
    """A private key file that other users of the machine can read."""


def read(path: Path, *, kind: type[CredentialError], what: str) -> bytes:
    """Read a credential file whole.

    Args:
        path: The file.
        kind: The error to raise: `CertificateError` or `PrivateKeyError`.
        what: What the file should hold, for messages.

    Raises:
        CredentialError: Of the given kind, if it is not there, not readable, not a regular file,
            empty, or over 1 MB.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for somebody to write into it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as exc:
        raise kind(
            f"the {what} file {str(path)!r} cannot be read: {exc.strerror}",
            reason="unreadable",
            hint="check the path and who may read it",
        ) from exc

    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        _check(status, path, kind, what)
        if kind is not CertificateError:
            warn_if_others_may_read(status, path)

        return stream.read(MOST_BYTES)


def _check(status: os.stat_result, path: Path, kind: type[CredentialError], what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise kind(f"the {what} file {str(path)!r} is not a regular file", reason="not_regular")

    if status.st_size > MOST_BYTES:
        raise kind(f"the {what} file {str(path)!r} has {status.st_size} bytes", reason="too_large")

    if not status.st_size:
        raise kind(f"the {what} file {str(path)!r} is empty", reason="empty")


def warn_if_others_may_read(status: os.stat_result, path: Path) -> None:
    """Warn about a private key that others can read; links are judged by what they point to."""
    mode = stat.S_IMODE(status.st_mode)
    foreign = hasattr(os, "geteuid") and status.st_uid not in {0, os.geteuid()}
    if os.name == "posix" and (mode & 0o077 or foreign):
        warnings.warn(
            f"the private key file {str(path)!r} can be read by others (mode {mode:04o}); "
            f"make it yours alone: chmod 600 {str(path)!r}",
            InsecureKeyFileWarning,
            stacklevel=5,
        )
