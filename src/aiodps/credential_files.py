"""Reading of certificate, key and password files: without blocking, with a size limit."""

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
    KeyError,  # before 50, of a string in a name whose type it does not know
)
"""What `cryptography` raises for an invalid certificate or key, when it is loaded or accessed."""

MAX_BYTES = 1024 * 1024
"""Maximum size of a file of certificates or keys."""

MAX_PASSWORD = 1023
"""Maximum length of a password in bytes; OpenSSL's limit for private keys."""


class InsecureKeyFileWarning(UserWarning):
    """Warning about a private key file that other users of the machine can read."""


def read(
    path: Path, *, kind: type[CredentialError] = CertificateError, what: str = "credential"
) -> bytes:
    """Return the content of a regular file of at most 1 MiB; never block on a FIFO.

    Args:
        path: The file.
        kind: The error to raise: `CertificateError` or `PrivateKeyError`.
        what: The expected content, for messages.

    Raises:
        CredentialError: Of that kind, if the file cannot be read; `reason` says why.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as exc:
        raise kind(
            f"the {what} file {str(path)!r} cannot be read: {exc.strerror}",
            reason="unreadable",
            hint="check the path and its permissions",
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
            hint="give a file with certificates or a key",
        )

    if status.st_size > MAX_BYTES:
        raise kind(
            f"the {what} file {str(path)!r} is too large: {status.st_size} bytes",
            reason="too_large",
            hint=f"the maximum is {MAX_BYTES} bytes",
        )


def read_password(path: Path, *, setting: str = "password_file") -> bytes:
    """Return a password: the first line of a file, without its line end.

    Raises:
        ConfigurationError: If the line is empty, or too long for a private key.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise ConfigurationError(
            f"the password file {str(path)!r} cannot be read: {exc.strerror}",
            setting=setting,
            hint="write the password into the first line of the file",
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
    """Warn if other users can read a private key file; for a link, its target counts."""
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    foreign = hasattr(os, "geteuid") and status.st_uid not in {0, os.geteuid()}
    if os.name == "posix" and (mode & 0o077 or foreign):
        warnings.warn(
            f"other users can read the private key file {str(path)!r} (mode {mode:04o}); "
            f"restrict it with: chmod 600 {str(path)!r}",
            InsecureKeyFileWarning,
            stacklevel=stacklevel,
        )
