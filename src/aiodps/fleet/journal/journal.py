"""What a run has done so far, on disk: a run that was killed goes on from here.

One SQLite file for each shard, write-ahead log, `synchronous=FULL`: what `write` has returned
from survives a power loss. One process at a time has it. docs/design/0020 says why.

planned -> sent -> operation -> assigned | failed
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from aiodps.errors import JournalError
from aiodps.fleet.measure.sample import Outcome, Sample

VERSION = 2
"""Of the file; 2 has `register_requests` in its samples."""

_SCHEMA = """
CREATE TABLE about (version INTEGER, run_id TEXT, shard INTEGER);
CREATE TABLE registrations (
    number INTEGER PRIMARY KEY, registration_id TEXT, transport TEXT,
    state TEXT, sent INTEGER, operation_id TEXT, sample TEXT, crc INTEGER
);
CREATE TABLE sessions (number INTEGER PRIMARY KEY, facts TEXT);
"""
_COLUMNS = "registration_id, transport, state, sent, operation_id, sample"


class State(enum.StrEnum):
    """How far one registration is known to have come."""

    PLANNED = "planned"
    """Nothing was sent."""
    SENT = "sent"
    """A register may have been sent; it is sent again."""
    OPERATION = "operation"
    """The service took it; the operation is polled."""
    ASSIGNED = "assigned"
    """Final."""
    FAILED = "failed"
    """Final: the error is in the sample."""

    @property
    def final(self) -> bool:
        """Whether nothing is left to do."""
        return self in {State.ASSIGNED, State.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One registration: a device over one transport."""

    number: int
    """Its place in the whole run."""
    registration_id: str
    transport: str
    state: State = State.PLANNED
    sent: int = 0
    """Register requests written down, over all sessions."""
    operation_id: str | None = None
    """The operation to poll; None if there is none."""
    sample: Sample | None = None
    """What it took; None while it is under way."""

    @property
    def row(self) -> tuple[Any, ...]:
        """The entry as columns, and their checksum."""
        sample = None if self.sample is None else json.dumps(asdict(self.sample))
        cells = (
            *(self.registration_id, self.transport, self.state.value),
            *(self.sent, self.operation_id, sample),
        )
        return (self.number, *cells, _crc(self.number, cells))


def journal_path(folder: Path, shard: int) -> Path:
    """Say where a shard's journal lies."""
    return folder / "journal" / f"{shard:04}.sqlite"


class Journal:
    """The journal of one shard; to be used by one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Only `create` and `open` make journals."""
        self.path = path
        self._connection = connection

    @classmethod
    def create(cls, path: Path, *, run_id: str, shard: int, entries: Iterable[Entry]) -> Self:
        """Begin a journal with everything that is planned.

        Raises:
            JournalError: If it cannot be written.
        """
        draft = path.with_name(f"{path.name}.new")
        with _as_journal_error(path):
            draft.unlink(missing_ok=True)
            connection = _connect(draft)
            with contextlib.closing(connection), connection:
                connection.executescript(_SCHEMA)
                connection.execute("INSERT INTO about VALUES (?, ?, ?)", (VERSION, run_id, shard))
                connection.executemany(_INSERT, (entry.row for entry in entries))

            # A journal is there as a whole or not at all, also after a power loss.
            draft.replace(path)
            _sync(path.parent)

        return cls.open(path, run_id=run_id)

    @classmethod
    def open(cls, path: Path, *, run_id: str | None = None) -> Self:
        """Open a journal that exists, and make sure that it is whole.

        Args:
            path: The file.
            run_id: The run it has to belong to; None for any.

        Raises:
            JournalError: If it is missing, damaged, in use, or of another run.
        """
        if not path.is_file():
            raise JournalError(
                f"there is no journal {str(path)!r}",
                reason="missing",
                hint="give the folder that `aiodps fleet run --out` made",
            )

        with _as_journal_error(path):
            connection = _connect(path)

        try:
            with _as_journal_error(path):
                _check(connection, path, run_id)
        except BaseException:
            connection.close()
            raise

        return cls(path, connection)

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries down in one step; they are on the disk when this returns.

        Raises:
            JournalError: If they are not. The journal is not to be written to any more.
        """
        with _as_journal_error(self.path), self._connection:
            self._connection.executemany(_INSERT, [entry.row for entry in entries])

    def entries(self) -> list[Entry]:
        """Read everything, in the order of the run.

        Raises:
            JournalError: If a row is not what was written.
        """
        with _as_journal_error(self.path):
            rows = self._connection.execute(
                f"SELECT number, {_COLUMNS}, crc FROM registrations ORDER BY number"  # noqa: S608 (constants)
            ).fetchall()

        return [_entry(row, self.path) for row in rows]

    def note_session(self, number: int, facts: dict[str, Any]) -> None:
        """Write down what a session was like, over what was noted for it before.

        Raises:
            JournalError: If it cannot be written.
        """
        with _as_journal_error(self.path), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO sessions VALUES (?, ?)", (number, json.dumps(facts))
            )

    def sessions(self) -> list[dict[str, Any]]:
        """Read what each session was like, first to last."""
        with _as_journal_error(self.path):
            rows = self._connection.execute("SELECT facts FROM sessions ORDER BY number")
            return [json.loads(facts) for (facts,) in rows]

    def close(self) -> None:
        """Close the file; may be called more than once."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_INSERT = "INSERT OR REPLACE INTO registrations VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0.5, check_same_thread=False)
    try:
        # Exclusive: a second process is refused, and no shared memory file is needed.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN EXCLUSIVE")
        connection.commit()
    except BaseException:
        connection.close()
        raise

    return connection


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check(connection: sqlite3.Connection, path: Path, run_id: str | None) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    about = connection.execute("SELECT version, run_id FROM about").fetchone()
    if verdict != "ok" or about is None:
        raise _damaged(path)

    if about[0] != VERSION:
        raise JournalError(
            f"the journal {str(path)!r} has version {about[0]!r}, not {VERSION}",
            reason="other_version",
            hint="resume the run with the version of aiodps that began it",
        )

    if run_id is not None and about[1] != run_id:
        raise JournalError(
            f"the journal {str(path)!r} belongs to another run",
            reason="other_run",
            hint="give each run a folder of its own",
        )


def _entry(row: tuple[Any, ...], path: Path) -> Entry:
    number, *cells, crc = row
    if crc != _crc(number, cells):
        raise _damaged(path)

    registration_id, transport, state, sent, operation_id, sample = cells
    return Entry(
        number=number,
        registration_id=registration_id,
        transport=transport,
        state=State(state),
        sent=sent,
        operation_id=operation_id,
        sample=None if sample is None else _sample(json.loads(sample)),
    )


def _sample(fields: dict[str, Any]) -> Sample:
    return Sample(**{**fields, "outcome": Outcome(fields["outcome"])})


def _crc(number: int, cells: Sequence[Any]) -> int:
    return zlib.crc32(json.dumps([number, *cells]).encode())


def _damaged(path: Path) -> JournalError:
    return JournalError(
        f"the journal {str(path)!r} is damaged",
        reason="damaged",
        hint="restore it from a copy; the service's records tell which devices are assigned",
    )


@contextlib.contextmanager
def _as_journal_error(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorname.startswith("SQLITE_BUSY"):
            raise JournalError(
                f"the journal {str(path)!r} is in use by another process",
                reason="in_use",
                hint="let the other run end, or stop it",
            ) from exc

        raise JournalError(
            f"the journal {str(path)!r} cannot be kept: {exc}", reason="unwritable"
        ) from exc
    except sqlite3.DatabaseError as exc:
        raise _damaged(path) from exc
    except OSError as exc:
        raise JournalError(
            f"the journal {str(path)!r} cannot be kept: {exc.strerror}", reason="unwritable"
        ) from exc
