"""Reading files of certificates, keys and passwords: never blocking, never without bound."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from aiodps.errors import CertificateError, ConfigurationError, CredentialError

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for a certificate or key that it cannot read, at once or when asked
for a part of it."""

MAX_BYTES = 1024 * 1024
"""A file of certificates or keys with more than a megabyte is something else."""

MAX_PASSWORD = 1023
"""Bytes; OpenSSL takes no longer password for a private key."""


class InsecureKeyFileWarning(UserWarning):
    """A private key file that other users of the machine can read."""


def read(
    path: Path, *, kind: type[CredentialError] = CertificateError, what: str = "credential"
) -> bytes:
    """Read a regular file of at most a megabyte; never wait for a FIFO.

    Args:
        path: The file.
        kind: What to raise: `CertificateError` or `PrivateKeyError`.
        what: What the file should hold, for messages.

    Raises:
        CredentialError: Of that kind, if it is anything else; `reason` says what.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as exc:
        raise kind(
            f"the {what} file {str(path)!r} cannot be read: {exc.strerror}",
            reason="unreadable",
            hint="check the path and who may read it",
        ) from exc

    try:
        status = os.fstat(handle)
        _check(status, path, kind, what)
    except BaseException:
        os.close(handle)
        raise

    with os.fdopen(handle, "rb") as stream:
        return stream.read(status.st_size)


def _check(status: os.stat_result, path: Path, kind: type[CredentialError], what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        fault = "is a directory" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
        raise kind(
            f"the {what} file {str(path)!r} {fault}",
            reason="not_regular",
            hint="give a file of certificates or keys",
        )

    if status.st_size > MAX_BYTES:
        raise kind(
            f"the {what} file {str(path)!r} has {status.st_size} bytes",
            reason="too_large",
            hint=f"give a file of {MAX_BYTES} bytes at most",
        )


def read_password(path: Path, *, setting: str = "password_file") -> bytes:
    """Read a password: the first line of a file, without its line end.

    Raises:
        ConfigurationError: If there is none, or it is too long for a private key.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise ConfigurationError(
            f"the password file {str(path)!r} cannot be read: {exc.strerror}",
            setting=setting,
            hint="it has to be a file with the password in its first line",
        ) from exc

    password = lines[0] if lines else b""
    if 0 < len(password) <= MAX_PASSWORD:
        return password

    raise ConfigurationError(
        f"the password file {str(path)!r} has {len(password)} bytes in its first line",
        setting=setting,
        hint=f"write 1 to {MAX_PASSWORD} bytes into its first line",
    )


def warn_if_others_may_read(path: Path, *, stacklevel: int = 3) -> None:
    """Warn about a private key file that others can read; a link is judged by its target."""
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    foreign = hasattr(os, "geteuid") and status.st_uid not in {0, os.geteuid()}
    if os.name == "posix" and (mode & 0o077 or foreign):
        warnings.warn(
            f"the private key file {str(path)!r} can be read by others (mode {mode:04o}); "
            f"make it yours alone: chmod 600 {str(path)!r}",
            InsecureKeyFileWarning,
            stacklevel=stacklevel,
        )
