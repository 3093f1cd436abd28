"""The journal of a shard: the state of each registration, on disk, for a run to resume from.

One SQLite file for each shard, with a write-ahead log. If it is durable (`synchronous=FULL`), what
`write` has returned from survives a power loss; if not, only the death of the process. One process
at a time can open it. See docs/design/0020-the-fleets-journal.md.

planned -> sent -> operation -> assigned | failed
"""

from __future__ import annotations

import contextlib
import enum
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from aiodps.errors import JournalError
from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.measure.records import fields_of
from aiodps.fleet.measure.sample import MAX_SECONDS, Sample, sample_from_json
from aiodps.fresh_files import sync_folder
from aiodps.protocol.identifiers import check_registration_id, is_operation_id
from aiodps.transports import TRANSPORTS

VERSION = 4
"""Of the file format; 4 has the credential that the service accepted."""

_SCHEMA = """
CREATE TABLE about (version INTEGER, run_id TEXT, shard INTEGER);
CREATE TABLE registrations (
    number INTEGER PRIMARY KEY, registration_id TEXT, transport TEXT,
    state TEXT, sent INTEGER, operation_id TEXT, intended REAL, started REAL, sample TEXT,
    crc INTEGER
);
CREATE TABLE sessions (number INTEGER PRIMARY KEY, facts TEXT);
"""
_COLUMNS = "registration_id, transport, state, sent, operation_id, intended, started, sample"


class State(enum.StrEnum):
    """The state of one registration, as far as the fleet knows."""

    PLANNED = "planned"
    """Nothing was sent."""
    SENT = "sent"
    """A register request may have been sent; it is sent once more."""
    OPERATION = "operation"
    """The service accepted it; the operation is polled."""
    ASSIGNED = "assigned"
    """Final."""
    FAILED = "failed"
    """Final; the error is in the sample."""

    @property
    def final(self) -> bool:
        """Whether the registration has ended."""
        return self in {State.ASSIGNED, State.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One registration: one device over one transport."""

    number: int
    """Its number in the whole run, from 0."""
    registration_id: str
    transport: str
    state: State = State.PLANNED
    sent: int = 0
    """Register requests sent or about to be sent, in all sessions."""
    operation_id: str | None = None
    """The operation to poll; None if there is none."""
    intended: float | None = None
    """Its first intended start in seconds of the run, in whatever session that was; None if it
    has not begun."""
    started: float | None = None
    """Its first actual start in seconds of the run; None if it has not begun."""
    sample: Sample | None = None
    """Its measurements; None until it has ended or was interrupted."""

    @property
    def row(self) -> tuple[Any, ...]:
        """The entry as columns, with their checksum."""
        sample = None if self.sample is None else json.dumps(self.sample.to_json())
        cells = (
            *(self.registration_id, self.transport, self.state.value),
            *(self.sent, self.operation_id, self.intended, self.started, sample),
        )
        return (self.number, *cells, _checksum(self.number, cells))


def journal_path(folder: Path, shard: int) -> Path:
    """Return the path of a shard's journal in a run folder."""
    return folder / "journal" / f"{shard:04}.sqlite"


class Journal:
    """The journal of one shard; used by one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `create` or `open` instead."""
        self.path = path
        self._connection = connection

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        run_id: str,
        shard: int,
        entries: Iterable[Entry],
        durable: bool = True,
    ) -> Self:
        """Create a journal with the planned entries; open it as `open` does.

        Raises:
            JournalError: If it cannot be written.
        """
        draft = path.with_name(f"{path.name}.new")
        with _as_journal_error(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            for left in path.parent.glob(f"{draft.name}*"):
                left.unlink()

            connection = _connect(draft)
            with contextlib.closing(connection), connection:
                connection.executescript(_SCHEMA)
                connection.execute("INSERT INTO about VALUES (?, ?, ?)", (VERSION, run_id, shard))
                connection.executemany(_INSERT, (entry.row for entry in entries))

            # The journal exists completely or not at all, also after a power loss or on a full
            # disk: there is no write-ahead log yet, which would have to be moved along.
            draft.replace(path)
            sync_folder(path.parent)

        return cls.open(path, run_id=run_id, durable=durable)

    @classmethod
    def open(cls, path: Path, *, run_id: str | None = None, durable: bool = True) -> Self:
        """Open an existing journal, and check its integrity.

        Args:
            path: The file.
            run_id: The run it must belong to; None for any.
            durable: Whether writes survive a power loss, and not only the death of the process.

        Raises:
            JournalError: If it is missing, damaged, in use, or of another run.
        """
        if not path.is_file():
            raise JournalError(
                f"there is no journal {str(path)!r}",
                reason="missing",
                hint="give a folder that `aiodps fleet run --out` created",
            )

        with _as_journal_error(path):
            connection = _connect(path, durable=durable)

        try:
            with _as_journal_error(path):
                _check(connection, path, run_id)
                connection.execute("PRAGMA journal_mode=WAL")
        except BaseException:
            connection.close()
            raise

        return cls(path, connection)

    def write(self, entries: Sequence[Entry], session: SessionFacts | None = None) -> None:
        """Write entries, and the facts of their session, in one transaction.

        Raises:
            JournalError: If they are not written. Nothing may be written to the journal after
                that.
        """
        with _as_journal_error(self.path), self._connection:
            self._connection.executemany(_INSERT, [entry.row for entry in entries])
            if session is not None:
                row = (session.number, json.dumps(fields_of(session)))
                self._connection.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?)", row)

    def entries(self) -> list[Entry]:
        """Return all entries in the order of the run.

        Raises:
            JournalError: If the checksum of a row is wrong, or a row is not an entry.
        """
        with _as_journal_error(self.path):
            rows = self._connection.execute(
                f"SELECT number, {_COLUMNS}, crc FROM registrations ORDER BY number"  # noqa: S608 (constants)
            ).fetchall()

        return [_entry(row, self.path) for row in rows]

    def sessions(self) -> list[SessionFacts]:
        """Return the facts of each session, oldest first.

        Raises:
            JournalError: If they are not what `write` wrote.
        """
        with _as_journal_error(self.path):
            rows = self._connection.execute("SELECT facts FROM sessions ORDER BY number")
            texts = [facts for (facts,) in rows]

        try:
            return [SessionFacts.from_json(json.loads(text)) for text in texts]
        except (ValueError, TypeError, RecursionError) as exc:
            raise _damaged(self.path) from exc

    def close(self) -> None:
        """Close the file; may be called more than once."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_INSERT = "INSERT OR REPLACE INTO registrations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def _connect(path: Path, *, durable: bool = True) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0.5, check_same_thread=False)
    try:
        # Exclusive: a second process is refused, and no shared memory file is needed.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        connection.execute("BEGIN EXCLUSIVE")
        connection.commit()
    except BaseException:
        connection.close()
        raise

    return connection


def _check(connection: sqlite3.Connection, path: Path, run_id: str | None) -> None:
    tables = _tables(connection)
    if _OURS["about"] not in tables.values():
        raise _damaged(path)

    about = connection.execute("SELECT version, run_id FROM about").fetchone()
    if about is None:
        raise _damaged(path)

    if about[0] != VERSION:
        raise JournalError(
            f"the journal {str(path)!r} has version {about[0]!r}, not {VERSION}",
            reason="other_version",
            hint="resume the run with the version of aiodps that created it",
        )

    # A view in place of a table may have endless rows, and triggers may do anything that SQL can.
    if tables != _OURS or connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise _damaged(path)

    if run_id is not None and about[1] != run_id:
        raise JournalError(
            f"the journal {str(path)!r} belongs to another run",
            reason="other_run",
            hint="give each run a folder of its own",
        )


def _tables(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the SQL of everything in a database by its name."""
    return dict(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())


def _our_tables() -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(_SCHEMA)
        return _tables(ours)


_OURS = _our_tables()


def _entry(row: tuple[Any, ...], path: Path) -> Entry:
    number, *cells, crc = row
    try:
        if crc != _checksum(number, cells):
            raise _damaged(path)

        return _checked_entry(number, dict(zip(_COLUMNS.split(", "), cells, strict=True)))
    except (ValueError, TypeError, RecursionError) as exc:
        # The checksum is not a secret: a changed row may have a valid one.
        raise _damaged(path) from exc


def _checked_entry(number: object, values: dict[str, Any]) -> Entry:
    sample, operation_id = values.pop("sample"), values.pop("operation_id")
    for name in ("intended", "started"):
        if values[name] is not None and not abs(values[name]) <= MAX_SECONDS:
            raise ValueError("a time is out of range")

    if type(number) is not int or type(values["sent"]) is not int or values["sent"] < 0:
        raise TypeError("a count is not one")

    if operation_id is not None and not is_operation_id(operation_id):
        raise ValueError("the operation id is not one")

    values["registration_id"] = check_registration_id(values["registration_id"])
    values["state"] = State(values["state"])
    if values["transport"] not in TRANSPORTS:
        raise ValueError("the transport is not one")

    return Entry(
        number=number,
        operation_id=operation_id,
        sample=None if sample is None else sample_from_json(json.loads(sample)),
        **values,
    )


def _checksum(number: int, cells: Sequence[Any]) -> int:
    return zlib.crc32(json.dumps([number, *cells]).encode())


def _damaged(path: Path) -> JournalError:
    return JournalError(
        f"the journal {str(path)!r} is damaged",
        reason="damaged",
        hint="restore it from a copy; the service's registration records show which devices are "
        "assigned",
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
                hint="wait until the other run ends, or stop it",
            ) from exc

        raise JournalError(
            f"the journal {str(path)!r} cannot be read or written: {exc}", reason="unwritable"
        ) from exc
    except sqlite3.DatabaseError as exc:
        raise _damaged(path) from exc
    except OSError as exc:
        raise JournalError(
            f"the journal {str(path)!r} cannot be read or written: {exc.strerror}",
            reason="unwritable",
        ) from exc
