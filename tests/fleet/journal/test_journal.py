"""The journal: what was written is there, what is not whole is told."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fleet.samples import sample

from aiodps.errors import JournalError
from aiodps.fleet.journal import journal as journal_module
from aiodps.fleet.journal.journal import Entry, Journal, State
from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.measure.sample import Outcome

PLANNED = [
    Entry(number=number, registration_id=f"dev-{number}", transport="mqtt") for number in range(20)
]
SESSION = SessionFacts(started=1.0)


def begun(path: Path) -> Journal:
    """Begin a journal of 20 devices."""
    return Journal.create(path, run_id="run-1", shard=0, entries=PLANNED)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Each state with everything that belongs to it, in the order of the run."""
    path = tmp_path / "j.sqlite"
    sent = dataclasses.replace(PLANNED[2], state=State.SENT, sent=1)
    operation = dataclasses.replace(sent, state=State.OPERATION, operation_id="4.abc.def")
    failed = dataclasses.replace(
        PLANNED[5],
        state=State.FAILED,
        sent=3,
        sample=sample(outcome=Outcome.FAILED, error_class="ThrottledError", error_code=429001),
    )
    with begun(path) as journal:
        journal.write([sent])
        journal.write([operation, failed])
        journal.write([], SESSION)
        journal.write([], dataclasses.replace(SESSION, seconds=2.0))

    with Journal.open(path, run_id="run-1") as journal:
        entries = journal.entries()
        assert journal.sessions() == [dataclasses.replace(SESSION, seconds=2.0)]

    assert [entry.number for entry in entries] == list(range(20))
    assert entries[2] == operation
    assert entries[5] == failed
    assert entries[0] == PLANNED[0]


def test_it_is_written_with_every_commit(tmp_path: Path) -> None:
    """Write-ahead log, and the log is synced at each commit: FULL is 2."""
    with begun(tmp_path / "j.sqlite") as journal:
        (mode,) = journal._connection.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = journal._connection.execute("PRAGMA synchronous").fetchone()

    assert (mode, synchronous) == ("wal", 2)


def test_in_memory_nothing_is_synced(tmp_path: Path) -> None:
    """The system has what was written, so that the death of the process loses nothing."""
    path = tmp_path / "j.sqlite"
    begun(path).close()
    with Journal.open(path, durable=False) as journal:
        (synchronous,) = journal._connection.execute("PRAGMA synchronous").fetchone()

    assert synchronous == 0


@pytest.mark.sockets
def test_a_kill_while_the_journal_was_created(tmp_path: Path) -> None:
    """A draft and its log are written anew; the journal exists whole or not at all."""
    path = tmp_path / "j.sqlite"
    subprocess.run([sys.executable, "-c", _KILLED_DRAFT, str(tmp_path)], check=False)
    assert {file.name for file in tmp_path.iterdir()} == {"j.sqlite.new", "j.sqlite.new-wal"}
    with begun(path) as journal:
        assert journal.entries() == PLANNED


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """A second one is refused, also one that only reads."""
    path = tmp_path / "j.sqlite"
    with begun(path), pytest.raises(JournalError) as caught:
        Journal.open(path)

    assert caught.value.reason == "in_use"


_KILLED_DRAFT = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1] + "/j.sqlite.new")
connection.execute("PRAGMA locking_mode=EXCLUSIVE")
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE about (version INTEGER)")
os.kill(os.getpid(), signal.SIGKILL)
"""
_KILLED = """
import dataclasses, os, signal, sys
from pathlib import Path
from aiodps.fleet.journal.journal import Journal, State
journal = Journal.open(Path(sys.argv[1]))
for entry in journal.entries():
    journal.write([dataclasses.replace(entry, state=State.SENT, sent=1)])
    print(entry.number, flush=True)
    if entry.number == 11:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.sockets
def test_a_killed_process_has_written_what_it_said(tmp_path: Path) -> None:
    """After SIGKILL, what `write` returned from is there, and the journal can be had at once."""
    path = tmp_path / "j.sqlite"
    begun(path).close()
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(path)], capture_output=True, text=True, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    said = [int(line) for line in killed.stdout.split()]
    with Journal.open(path) as journal:
        states = [entry.state for entry in journal.entries()]

    assert said == list(range(12))
    assert states == [State.SENT] * 12 + [State.PLANNED] * 8


@pytest.mark.parametrize("cut", range(0, 100, 9))
def test_a_log_that_is_cut_leaves_what_was_before(tmp_path: Path, cut: int) -> None:
    """R3: whatever is left of the log after a power loss, each entry is the old or the new one."""
    path = tmp_path / "j.sqlite"
    copy = tmp_path / "k.sqlite"
    new = [dataclasses.replace(entry, state=State.SENT, sent=1) for entry in PLANNED]
    with begun(path) as journal:
        for entry in new:
            journal.write([entry])

        shutil.copy(path, copy)
        log = path.with_name("j.sqlite-wal").read_bytes()

    copy.with_name("k.sqlite-wal").write_bytes(log[: len(log) * cut // 100])
    with Journal.open(copy) as journal:
        entries = journal.entries()

    written = sum(entry.state is State.SENT for entry in entries)
    assert entries == new[:written] + PLANNED[written:]


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_bit_invents_nothing(tmp_path: Path, seed: int) -> None:
    """R3: it is told, or it was where nothing is."""
    path = tmp_path / "j.sqlite"
    begun(path).close()
    rng = random.Random(seed)  # noqa: S311 (no secret)
    data = bytearray(path.read_bytes())
    offset = rng.randrange(len(data))
    data[offset] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    try:
        with Journal.open(path, run_id="run-1") as journal:
            assert journal.entries() == PLANNED
    except JournalError as error:
        reason = error.reason
    else:
        reason = "nothing"

    assert reason in {"nothing", "damaged", "other_run", "other_version", "unwritable"}


def test_a_journal_of_another_version(tmp_path: Path) -> None:
    """It is whole, and it is refused as what it is."""
    path = tmp_path / "j.sqlite"
    begun(path).close()
    connection = sqlite3.connect(path)
    with contextlib.closing(connection), connection:
        connection.execute("UPDATE about SET version = 1")

    assert refused(path, "run-1") == "other_version"


def test_a_row_that_was_changed_is_told(tmp_path: Path) -> None:
    """What SQLite takes for whole is checked once more, row by row."""
    path = tmp_path / "j.sqlite"
    begun(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE registrations SET state = 'assigned' WHERE number = 3")

    connection.close()
    with Journal.open(path) as journal, pytest.raises(JournalError) as caught:
        journal.entries()

    assert caught.value.reason == "damaged"


def test_other_files(tmp_path: Path) -> None:
    """No file, a file that is no journal, the journal of another run: each is told apart."""
    path = tmp_path / "j.sqlite"
    assert refused(path, "run-1") == "missing"
    path.write_bytes(b"not a database, by no means" * 100)
    assert refused(path, "run-1") == "damaged"
    path.unlink()
    begun(path).close()
    assert refused(path, "run-2") == "other_run"


def refused(path: Path, run_id: str) -> str:
    """Say why a journal cannot be had."""
    with pytest.raises(JournalError) as caught:
        Journal.open(path, run_id=run_id)

    return caught.value.reason


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """What cannot be written is an error; what was written before is there."""
    path = tmp_path / "j.sqlite"
    with begun(path) as journal:
        journal.write([dataclasses.replace(PLANNED[0], state=State.SENT, sent=1)])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        log = path.with_name("j.sqlite-wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, limits[1]))
        try:
            with pytest.raises(JournalError) as caught:
                journal.write([dataclasses.replace(PLANNED[1], state=State.SENT, sent=1)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert caught.value.reason == "unwritable"
    with Journal.open(path) as journal:
        states = [entry.state for entry in journal.entries()]

    assert states == [State.SENT] + [State.PLANNED] * 19


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A journal that cannot be begun is an error of ours."""
    (tmp_path / "nowhere").write_text("")
    with pytest.raises(JournalError) as caught:
        begun(tmp_path / "nowhere" / "j.sqlite")

    assert caught.value.reason == "unwritable"


@pytest.mark.parametrize("size", [0, 512, 4096, 8192, 12288, 16384])
def test_a_disk_that_is_full_at_the_start_damages_nothing(tmp_path: Path, size: int) -> None:
    """The journal is there or it is not, and once there is space, it can be had."""
    path = tmp_path / "j.sqlite"
    many = [dataclasses.replace(PLANNED[0], number=number) for number in range(200)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        with pytest.raises(JournalError) as caught:
            Journal.create(path, run_id="run-1", shard=0, entries=many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert caught.value.reason == "unwritable"
    if path.exists():
        journal = Journal.open(path, run_id="run-1")
    else:
        journal = Journal.create(path, run_id="run-1", shard=0, entries=many)

    with journal:
        assert journal.entries() == many


def test_what_a_failed_start_left_is_not_taken_for_a_part(tmp_path: Path) -> None:
    """A stale log of another draft would be rolled back into the new one."""
    path = tmp_path / "j.sqlite"
    for name in ("j.sqlite.new", "j.sqlite.new-journal", "j.sqlite.new-wal"):
        (tmp_path / name).write_bytes(b"stale" * 1000)

    with begun(path) as journal:
        assert journal.entries() == PLANNED

    assert [each.name for each in tmp_path.iterdir()] == ["j.sqlite"]


ENDLESS = """
ALTER TABLE registrations RENAME TO theirs;
CREATE VIEW registrations AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n)
SELECT i AS number, 'dev' AS registration_id, 'mqtt' AS transport, 'planned' AS state, 0 AS sent,
NULL AS operation_id, NULL AS sample, 0 AS crc FROM n;
"""
TRIGGER = """
CREATE TRIGGER theirs AFTER INSERT ON registrations BEGIN DELETE FROM sessions; END;
"""
COLUMN = """
ALTER TABLE registrations ADD COLUMN endless GENERATED ALWAYS AS (zeroblob(1000000000));
"""


@pytest.mark.parametrize("script", [ENDLESS, TRIGGER, COLUMN], ids=["view", "trigger", "column"])
def test_a_journal_with_more_than_our_tables_is_refused(tmp_path: Path, script: str) -> None:
    """Before anything is read of it that may never end, or is changed."""
    path = tmp_path / "j.sqlite"
    begun(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)

    assert refused(path, "run-1") == "damaged"


def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    """Its journal mode is its own."""
    path = tmp_path / "j.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE cookies (name TEXT)")

    before = path.read_bytes()
    assert refused(path, "run-1") == "damaged"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "values",
    [
        {"state": "lost"},
        {"state": None},
        {"sent": -1},
        {"sent": "many"},
        {"number": "first"},
        {"registration_id": "\x1b[2J"},
        {"registration_id": 5},
        {"transport": "pigeon"},
        {"operation_id": "../x"},
        {"operation_id": 7},
        {"sample": "{"},
        {"sample": "[" * 100_000},
        {"sample": "[]"},
        {"sample": '{"phases": 1}'},
        {"sample": 5},
        {"sample": b"\xff"},
    ],
    ids=str,
)
def test_a_row_of_somebody_elses_is_damage(tmp_path: Path, values: dict[str, object]) -> None:
    """Its checksum fits, because anybody can compute it; still nothing else is raised."""
    row = {**dict(zip(COLUMNS, PLANNED[3].row, strict=True)), **values}
    cells = [row[name] for name in COLUMNS[:-1]]
    with contextlib.suppress(TypeError):  # bytes
        row["crc"] = journal_module._checksum(cells[0], cells[1:])

    with pytest.raises(JournalError) as caught:
        journal_module._entry(tuple(row.values()), tmp_path)

    assert caught.value.reason == "damaged"


COLUMNS = ["number", *journal_module._COLUMNS.split(", "), "crc"]


@pytest.mark.parametrize(
    "facts",
    [
        "[]",
        "{}",
        "x",
        '{"started": "now"}',
        '{"started": NaN}',
        '{"started": 1e300}',
        '{"started": 1, "generator_load": [1]}',
        '{"started": 1, "generator_load": {"cpu": 1}}',
        '{"started": 1, "generator_load": {"cpu_share": "x"}}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:50],
)
def test_a_session_of_somebody_elses_is_damage(tmp_path: Path, facts: str) -> None:
    """Wrong types, and numbers that are none."""
    path = tmp_path / "j.sqlite"
    with begun(path) as journal:
        with journal._connection as connection:
            connection.execute("INSERT INTO sessions VALUES (0, ?)", (facts,))

        with pytest.raises(JournalError) as caught:
            journal.sessions()

    assert caught.value.reason == "damaged"
