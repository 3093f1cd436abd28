"""State in a file: all of it or none, for one emulator, and for nobody else's eyes."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aiodps.emulator.state.sqlite import APPLICATION, FORMAT, SqliteStore
from aiodps.emulator.state.store import Kind, Store, StoreError
from aiodps.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Name a file."""
    return tmp_path / "state.db"


@pytest.fixture
def store(file: Path) -> Iterator[SqliteStore]:
    """Open an empty store."""
    with closing(SqliteStore.open(file)) as store:
        yield store


def kept(file: Path, kind: Kind = Kind.GROUP) -> dict[str, object]:
    """Read a file as the next emulator would."""
    with closing(SqliteStore.open(file)) as store:
        return dict(store.load(kind))


def test_what_is_committed_is_there_in_the_order_it_came(store: SqliteStore, file: Path) -> None:
    """Changing a document leaves its place; of one key there is one document for each kind."""
    contract: Store = store
    contract.put(Kind.GROUP, "b", lambda: {"n": 1})
    contract.put(Kind.GROUP, "a", lambda: {"n": 2})
    contract.put(Kind.ENROLLMENT, "b", lambda: {"n": 3})
    contract.commit()
    contract.put(Kind.GROUP, "b", lambda: {"n": 4, "text": "ü\N{SNOWMAN}"})
    contract.put(Kind.GROUP, "c", dict)
    contract.delete(Kind.GROUP, "never there")
    contract.commit()
    contract.delete(Kind.GROUP, "a")
    contract.commit()
    store.close()

    assert list(kept(file).items()) == [("b", {"n": 4, "text": "ü\N{SNOWMAN}"}), ("c", {})]
    assert kept(file, Kind.ENROLLMENT) == {"b": {"n": 3}}


def test_what_is_not_committed_is_not_there(store: SqliteStore, file: Path) -> None:
    """Nor is anything half there."""
    store.put(Kind.GROUP, "a", dict)
    store.close()

    assert kept(file) == {}


@pytest.mark.sockets
def test_killed_after_a_commit_nothing_is_lost(file: Path) -> None:
    """Without a chance to close anything."""
    code = """if True:
        import os, sys
        from aiodps.emulator.state.sqlite import SqliteStore
        from aiodps.emulator.state.store import Kind
        store = SqliteStore.open(sys.argv[1])
        store.put(Kind.GROUP, "a", lambda: {"n": 1})
        store.commit()
        store.put(Kind.GROUP, "b", lambda: {"n": 1})
        os.kill(os.getpid(), 9)
    """
    done = subprocess.run([sys.executable, "-c", code, str(file)], check=False)

    assert done.returncode == -9
    assert kept(file) == {"a": {"n": 1}}


def test_the_file_is_for_its_owner_alone(file: Path) -> None:
    """Also if it was there before with other rights; it holds keys."""
    file.touch(mode=0o644)
    with closing(SqliteStore.open(file)) as store:
        store.put(Kind.GROUP, "a", dict)
        store.commit()
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()}

    assert modes == {"state.db": 0o600, "state.db-wal": 0o600}


@pytest.mark.usefixtures("store")
@pytest.mark.sockets
def test_a_second_emulator_is_refused(file: Path) -> None:
    """In this process or another one; the first goes on."""
    code = f"from aiodps.emulator.state.sqlite import SqliteStore; SqliteStore.open({str(file)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert "is in use by another emulator" in done.stderr
    with pytest.raises(ConfigurationError, match="is in use") as caught:
        SqliteStore.open(file)

    assert caught.value.setting == "state"


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (
            f"PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT + 1}",
            "a newer aiodps",
        ),
        ("PRAGMA application_id=7", "of another program"),
        ("CREATE TABLE document (kind, key, json)", "of another program"),
        ("PRAGMA user_version=1", "of another program"),
    ],
)
def test_foreign_and_newer_files_are_refused(file: Path, statements: str, message: str) -> None:
    """And left as they are."""
    with closing(sqlite3.connect(file)) as database:
        database.executescript(statements)

    with pytest.raises(ConfigurationError, match=message):
        SqliteStore.open(file)

    with closing(sqlite3.connect(file)) as database:
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        mode = database.execute("PRAGMA journal_mode").fetchone()[0]

    assert (tables, mode) == ("CREATE" in statements, "delete")


def test_what_is_no_database_is_refused(file: Path) -> None:
    """And left as it is."""
    file.write_text("a list of enrollments, say\n" * 100)
    with pytest.raises(ConfigurationError, match="is not a state file"):
        SqliteStore.open(file)

    assert file.read_text().startswith("a list")


def test_a_damaged_file_is_told_as_that(file: Path) -> None:
    """When what is damage is read."""
    with closing(SqliteStore.open(file)) as store:
        for number in range(1000):
            store.put(Kind.GROUP, f"{number}", lambda: {"text": "x" * 100})

        store.commit()

    content = bytearray(file.read_bytes())
    content[8192:-8192] = os.urandom(len(content) - 16384)
    file.write_bytes(content)
    with (
        pytest.raises(ConfigurationError, match="malformed"),
        closing(SqliteStore.open(file)) as store,
    ):
        list(store.load(Kind.GROUP))


def test_files_that_cannot_be_are_refused(tmp_path: Path) -> None:
    """Whatever is in the way; nothing waits for a FIFO."""
    os.mkfifo(tmp_path / "fifo")
    for name, message in [
        ("", "Is a directory"),
        ("none/state.db", "No such file"),
        ("fifo", "not a regular file"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            SqliteStore.open(tmp_path / name)


def test_what_cannot_be_written_is_undone(store: SqliteStore) -> None:
    """No transaction stays open in which all later ones would fail."""
    store.put(Kind.GROUP, "\ud800", dict)
    for _ in range(2):
        with pytest.raises(StoreError, match="surrogates"):
            store.commit()


def test_a_full_disk_keeps_nothing_and_is_got_over(store: SqliteStore, file: Path) -> None:
    """What could not be kept is kept as soon as there is room, with what came in between."""
    store.put(Kind.GROUP, "before", dict)
    store.commit()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 20_000, hard))
    try:
        for name in ("big", "small"):
            store.put(Kind.GROUP, name, lambda: {"text": "x" * 200_000})
            with pytest.raises(StoreError, match="cannot be saved"):
                store.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    store.put(Kind.GROUP, "small", dict)
    store.commit()
    store.close()
    assert list(kept(file)) == ["before", "big", "small"]


def test_a_file_of_another_program_keeps_its_mode(tmp_path: Path) -> None:
    """It is refused, and left as it is."""
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE theirs (x)")

    file.chmod(0o664)
    with pytest.raises(ConfigurationError):
        SqliteStore.open(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o664


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Not even to a file that is empty, or is not there yet."""
    link, theirs = tmp_path / "state.db", tmp_path / "theirs"
    link.symlink_to(theirs)
    with pytest.raises(ConfigurationError, match="is a link"):
        SqliteStore.open(link)

    assert not theirs.exists()
