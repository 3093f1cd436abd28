"""A store in an SQLite file: changes are in the file before the response that depends on them.

Changes are collected in memory and written in one transaction. With a write-ahead log a
transaction survives a crash of the process at any moment. It is not synced to the disk, which
would cost ten times as much: a power cut may lose the last seconds, but never half of a
transaction.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from aiodps.emulator.state.store import Document, Kind, StoreError
from aiodps.errors import ConfigurationError

FORMAT: Final = 1
"""Of the documents and tables; a file with a higher number is of a newer version of aiodps."""
APPLICATION: Final = int.from_bytes(b"aDPS")
"""Identifies such a file among those of other programs (`PRAGMA application_id`)."""

_CREATE = f"""
    CREATE TABLE document (
        position INTEGER PRIMARY KEY, -- the order in which documents were first put
        kind TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL,
        UNIQUE (kind, key)
    );
    PRAGMA application_id = {APPLICATION};
    PRAGMA user_version = {FORMAT};
"""
_PUT = """
    INSERT INTO document (kind, key, json) VALUES (?, ?, ?)
    ON CONFLICT (kind, key) DO UPDATE SET json = excluded.json
"""
_DELETE = "DELETE FROM document WHERE kind = ? AND key = ?"
_LOAD = "SELECT key, json FROM document WHERE kind = ? ORDER BY position"


class SqliteStore:
    """A `Store` in a file, which it locks."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self._connection = connection
        self._file = file
        self._changes: dict[tuple[Kind, str], Callable[[], Document] | None] = {}

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a file, or create one that only its owner can read: it holds keys.

        Raises:
            ConfigurationError: If it is in use, of another program or a newer version, or cannot
                be read and written.
        """
        file = Path(path)
        _prepare(file)
        connection = sqlite3.connect(
            file, isolation_level=None, timeout=0, check_same_thread=False
        )
        try:
            if _take(connection, file):
                connection.executescript(f"BEGIN; {_CREATE} COMMIT;")
        except sqlite3.Error as exc:
            connection.close()
            raise _unusable(file, exc) from exc
        except ConfigurationError:
            connection.close()
            raise

        return cls(connection, file)

    def load(self, kind: Kind) -> Iterator[tuple[str, Document]]:
        """Iterate over the keys and documents of a kind, in the order they were first put.

        Raises:
            ConfigurationError: If the file is damaged.
        """
        try:
            for key, text in self._connection.execute(_LOAD, (kind,)):
                yield key, json.loads(text)
        except sqlite3.Error as exc:
            raise _unusable(self._file, exc) from exc

    def put(self, kind: Kind, key: str, write: Callable[[], Document]) -> None:
        """Add or replace a document with the next `commit`."""
        self._changes[kind, key] = write

    def delete(self, kind: Kind, key: str) -> None:
        """Delete a document, if it exists, with the next `commit`."""
        self._changes[kind, key] = None

    def commit(self) -> None:
        """Save all changes or none.

        Raises:
            StoreError: If they cannot be saved.
        """
        if not self._changes:
            return

        rows = [
            (kind, key, None if write is None else json.dumps(write(), separators=(",", ":")))
            for (kind, key), write in self._changes.items()
        ]
        try:
            self._write(rows)
        except (sqlite3.Error, ValueError) as exc:  # a key that is not valid Unicode, say
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

            raise StoreError(f"the state cannot be saved: {exc}") from exc

        self._changes.clear()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _write(self, rows: Iterable[tuple[Kind, str, str | None]]) -> None:
        self._connection.execute("BEGIN")
        for kind, key, text in rows:
            if text is None:
                self._connection.execute(_DELETE, (kind, key))
            else:
                self._connection.execute(_PUT, (kind, key, text))

        self._connection.execute("COMMIT")


def _prepare(file: Path) -> None:
    """Create the file for its owner alone, or check that it is a regular file."""
    try:
        flags = [getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW")]
        handle = os.open(file, os.O_RDWR | os.O_CREAT | flags[0] | flags[1], 0o600)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _fault(file, "is not a regular file")
        finally:
            os.close(handle)
    except OSError as exc:
        if file.is_symlink():
            raise _fault(file, "is a link", hint="name the file itself") from exc

        hint = "check the path and the permissions of the directory"
        raise _fault(file, f"cannot be opened: {exc.strerror}", hint=hint) from exc


def _take(connection: sqlite3.Connection, file: Path) -> bool:
    """Lock the file for this connection; return whether it is new.

    A file of another program is left as it is.
    """
    # With this set first, locks stay once they are taken, and the log needs no shared index.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    new = _check(connection, file)
    connection.execute("COMMIT")
    if os.name == "posix":
        # Not before it is known to be ours, and before the log, which gets the same mode.
        file.chmod(0o600)

    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return new


def _check(connection: sqlite3.Connection, file: Path) -> bool:
    """Refuse a file of another program; return whether the file is empty."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == APPLICATION and version > FORMAT:
        raise _fault(
            file,
            f"is of a newer aiodps (format {version}, this one knows {FORMAT})",
            hint="use that version, or start with another file",
        )

    if application == APPLICATION:
        return False

    if application or version or tables:
        raise _fault(file, "is a database of another program")

    return True


def _unusable(file: Path, error: sqlite3.Error) -> ConfigurationError:
    match getattr(error, "sqlite_errorname", None):
        case "SQLITE_BUSY":
            return _fault(
                file,
                "is in use by another emulator",
                hint="stop that one, or give each its own file",
            )
        case "SQLITE_NOTADB":
            return _fault(file, "is not a state file of the emulator")
        case _:
            return _fault(
                file,
                f"cannot be used: {error}",
                hint="check the disk and the permissions of the directory",
            )


def _fault(file: Path, what: str, hint: str = "name a new file") -> ConfigurationError:
    return ConfigurationError(f"the state file {str(file)!r} {what}", setting="state", hint=hint)
