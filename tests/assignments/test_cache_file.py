"""What is read is what was written, or nothing: no byte that changed makes another assignment."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.assignments.stored import ANY_HUB, assignment, key

import aiodps
from aiodps.assignments.cache_file import MAX_FILE, Miss, decode, encode, read_entry, write_entry

ODD: dict[str, Any] = {
    "etag": "IjEi",
    "substatus": "initialAssignment",
    "unknown": [1.5, 10**30, None, "é\u2028\0😀"],
}
STORED = assignment(number=7, **ODD)
CONTENT = encode(key(), STORED).encode()


def decoded(data: bytes, **changes: str) -> aiodps.Assignment | Miss:
    """Decode the file of the usual device."""
    return decode(data, key(**changes), registration_id="press-4", hub_suffixes=ANY_HUB)


def test_there_and_back() -> None:
    """All of it, unknown members too; it says that it comes from the cache."""
    found = decoded(CONTENT)

    assert isinstance(found, aiodps.Assignment)
    assert (found, found.cached, found.raw) == (STORED, True, STORED.raw)
    assert found.registration_id == "press-4"


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """They are damaged, and nothing is raised."""
    assert isinstance(found := decoded(data), Miss)
    assert found.damaged


@given(
    st.integers(0, len(CONTENT) - 1),
    st.binary(max_size=3),
    st.integers(0, 40),
)
def test_a_changed_file_law(at: int, put: bytes, removed: int) -> None:
    """Whatever is put in the place of whatever: the same assignment, or none."""
    found = decoded(CONTENT[:at] + put + CONTENT[at + removed :])

    assert isinstance(found, Miss) or (found, found.cached) == (STORED, True)


@pytest.mark.parametrize("size", [0, 1, 100, len(CONTENT) - 2])
def test_half_a_file(size: int) -> None:
    """However much of it was written."""
    assert isinstance(found := decoded(CONTENT[:size]), Miss)
    assert found.damaged


@pytest.mark.parametrize("member", ["endpoint", "id_scope", "credentials", "payload"])
def test_the_answer_to_another_question(member: str) -> None:
    """It says which member differs, and is not called damaged."""
    assert decoded(CONTENT, **{member: "other"}) == Miss(f"is for other {member}")


def test_another_format() -> None:
    """That of a later version is replaced."""
    later = json.dumps({**json.loads(CONTENT), "format": "aiodps assignment 2"})

    assert decoded(later.encode()) == Miss(
        "has another format: 'aiodps assignment 2'", damaged=True
    )


def test_a_hub_that_is_not_allowed_any_more() -> None:
    """The settings of today decide."""
    found = decode(CONTENT, key(), registration_id="press-4", hub_suffixes=(".example",))

    assert isinstance(found, Miss)
    assert "in none of the domains .example" in found.why
    assert not found.damaged


def put_link(path: Path) -> None:
    """Put a link to a good file."""
    target = path.with_name("target")
    write_entry(target, CONTENT.decode())
    path.symlink_to(target)


def put_open_file(path: Path) -> None:
    """Put a file that others may write."""
    path.write_bytes(CONTENT)
    path.chmod(0o666)


def put_large_file(path: Path) -> None:
    """Put a file of zeros, of which the disk has none."""
    path.touch(mode=0o600)
    os.truncate(path, MAX_FILE + 1)


def put_foreign_file(path: Path) -> None:
    """Put a file of somebody else's."""
    write_entry(path, CONTENT.decode())
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize(
    ("put", "why"),
    [
        (put_link, "cannot be read: "),
        (os.mkfifo, "is not a regular file"),
        (Path.mkdir, "cannot be read: "),
        (put_open_file, "can be written by other users"),
        (put_large_file, "is too large"),
        pytest.param(
            *(put_foreign_file, "belongs to another user"),
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away"),
        ),
    ],
)
def test_what_is_not_read(tmp_path: Path, put: Callable[[Path], None], why: str) -> None:
    """Who writes the file decides where the device connects; nothing is waited for."""
    path = tmp_path / "entry"
    put(path)
    found = read_entry(path)

    assert isinstance(found, Miss)
    assert found.damaged
    assert found.why.startswith(why)


def test_nothing_there(tmp_path: Path) -> None:
    """It is not called damaged."""
    assert read_entry(tmp_path / "no" / "entry") == Miss("does not exist")


def test_what_is_written(tmp_path: Path) -> None:
    """For its owner only, in folders that are made for it; and it is read again."""
    path = tmp_path / "new" / "folder" / "entry"
    write_entry(path, "text")

    assert read_entry(path) == b"text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
