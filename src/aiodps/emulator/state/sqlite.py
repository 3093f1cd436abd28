"""State in an SQLite file: what an answer tells of is in the file before the answer leaves.

Changes are gathered in memory and written in one transaction. With a write-ahead log a transaction
survives the death of the process at any moment. It is not forced to the disk, which would cost ten
times as much: a power cut may take the last seconds, and never half of a transaction.
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
"""What tells such a file from those of other programs (`PRAGMA application_id`)."""

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
    """A `Store` in a file that it has for itself."""

    def __init__(self, connection: sqlite3.Connection, file: Path) -> None:
        self._connection = connection
        self._file = file
        self._changes: dict[tuple[Kind, str], Callable[[], Document] | None] = {}

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a file, or make one that nobody else can read: it holds keys.

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
        """Go through the documents of a kind with their keys, in the order they were first put.

        Raises:
            ConfigurationError: If the file is damage.
        """
        try:
            for key, text in self._connection.execute(_LOAD, (kind,)):
                yield key, json.loads(text)
        except sqlite3.Error as exc:
            raise _unusable(self._file, exc) from exc

    def put(self, kind: Kind, key: str, write: Callable[[], Document]) -> None:
        """Have a document written in the place of the one before, by the next `commit`."""
        self._changes[kind, key] = write

    def delete(self, kind: Kind, key: str) -> None:
        """Forget a document, if there is one; forgotten from the next `commit` on."""
        self._changes[kind, key] = None

    def commit(self) -> None:
        """Keep all changes, or none of them.

        Raises:
            StoreError: If they cannot be kept now.
        """
        if not self._changes:
            return

        rows = [
            (kind, key, None if write is None else json.dumps(write(), separators=(",", ":")))
            for (kind, key), write in self._changes.items()
        ]
        try:
            self._write(rows)
        except (sqlite3.Error, ValueError) as exc:  # a key that is no text, say
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

            raise StoreError(f"the state cannot be kept: {exc}") from exc

        self._changes.clear()

    def close(self) -> None:
        """Let the file go."""
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
    """See to it that there is a file of our own, before anything is written into it."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o600)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _fault(file, "is not a regular file")

            if os.name == "posix":
                os.fchmod(handle, 0o600)
        finally:
            os.close(handle)
    except OSError as exc:
        hint = "see to the path and the directory's rights"
        raise _fault(file, f"cannot be opened: {exc.strerror}", hint=hint) from exc


def _take(connection: sqlite3.Connection, file: Path) -> bool:
    """Take the file for this connection alone, as long as it is open; tell whether it is new.

    A file that is not ours is left as it is.
    """
    # With this set first, locks stay once they are taken, and the log needs no shared index.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    new = _check(connection, file)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return new


def _check(connection: sqlite3.Connection, file: Path) -> bool:
    """Refuse what is not ours; tell whether there is nothing yet."""
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
                hint="stop that one, or give each a file of its own",
            )
        case "SQLITE_NOTADB":
            return _fault(file, "is not a state file of the emulator")
        case _:
            return _fault(
                file, f"cannot be used: {error}", hint="see to the disk and the directory's rights"
            )


def _fault(
    file: Path, what: str, hint: str = "name a file that is not there yet"
) -> ConfigurationError:
    return ConfigurationError(f"the state file {str(file)!r} {what}", setting="state", hint=hint)
