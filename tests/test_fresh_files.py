"""A file that is written anew leaves alone what was there, and whom it belonged to."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from aiodps.fresh_files import fresh_file, write_fresh


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    """What it leads to is unchanged."""
    theirs, path = tmp_path / "theirs", tmp_path / "ours"
    theirs.write_text("theirs")
    path.symlink_to(theirs)
    write_fresh(path, "ours\n")

    assert (theirs.read_text(), path.read_text()) == ("theirs", "ours\n")
    assert not path.is_symlink()


def test_a_hard_link_is_replaced(tmp_path: Path) -> None:
    """Another name of the same file keeps its content."""
    theirs, path = tmp_path / "theirs", tmp_path / "ours"
    theirs.write_text("theirs")
    os.link(theirs, path)
    write_fresh(path, "ours")

    assert theirs.read_text() == "theirs"


def test_a_pipe_is_replaced(tmp_path: Path) -> None:
    """It would block."""
    path = tmp_path / "ours"
    os.mkfifo(path)
    write_fresh(path, "ours")

    assert path.read_text() == "ours"


def test_the_mode_is_its_own_from_the_start(tmp_path: Path) -> None:
    """Not that of the file that was there."""
    path = tmp_path / "ours"
    path.touch(mode=0o666)
    with fresh_file(path, mode=0o600) as file:
        [draft] = tmp_path.glob(".ours.*")
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
        file.write("secret")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    """And no draft."""
    path = tmp_path / "ours"
    path.write_text("before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_fresh(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_durable_file_outlasts_a_power_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content is on the disk before it takes its place, and its name when the block ends."""
    path, synced = tmp_path / "ours", []
    with monkeypatch.context() as patch:
        patch.setattr(
            "os.fsync",
            lambda handle: synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), path.exists())),
        )
        with fresh_file(path, durable=True) as file:
            file.write("ours")

    assert synced == [(False, False), (True, True)]
