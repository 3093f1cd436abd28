"""A file that a person gives is read within bounds, whatever it is."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from aiodps.errors import ConfigurationError
from aiodps.input_files import reading
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import (
    InsecureKeyFileWarning,
    read,
    warn_if_others_may_read,
)


def origin(path: Path | str) -> Origin:
    """Return a file that was given as a payload."""
    return Origin.file(path, what="payload file", kind="payload")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no", "cannot be read: No such file"),
        ("", "is a directory"),
        ("giant", "is too large"),
        ("/dev/null", "is not a regular file"),
        ("file/below", "cannot be read: Not a directory"),
        ("x" * 300, "cannot be read: File name too long"),
    ],
)
def test_what_is_not_read(tmp_path: Path, name: str, says: str) -> None:
    """Each is named, and the name of the setting with it."""
    (tmp_path / "giant").write_bytes(b"x" * 11)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError) as caught:
        read(origin(tmp_path / name), limit=10)

    assert says in caught.value.message
    assert caught.value.setting == "payload"
    assert caught.value.__cause__ is None  # it would repeat the path


def test_regular_files(tmp_path: Path) -> None:
    """They are read whole, also those of the system, which claim to have no size."""
    (tmp_path / "file").write_bytes(b"x" * 10)

    assert read(origin(tmp_path / "file"), limit=10) == b"x" * 10
    assert read(origin("/proc/self/cmdline"))


def pipe_with(content: bytes) -> int:
    """Return the read end of a pipe that was written and closed."""
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return reader


@pytest.mark.parametrize("content", [b"", b"content", b"x" * 10])
def test_pipes(content: bytes) -> None:
    """As a shell's `<(command)` and `/dev/stdin` are."""
    reader = pipe_with(content)
    try:
        assert read(origin(f"/proc/self/fd/{reader}"), limit=10) == content
    finally:
        os.close(reader)


def test_endless_pipes() -> None:
    """A pipe has the same bound of size as a file."""
    reader = pipe_with(b"x" * 11)
    with pytest.raises(ConfigurationError, match="too large"):
        read(origin(f"/proc/self/fd/{reader}"), limit=10)

    os.close(reader)


@pytest.mark.parametrize("written", [b"", b"half"])
def test_pipes_that_nobody_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes
) -> None:
    """A FIFO without a writer, or with one that never closes it, does not hang."""
    monkeypatch.setattr(reading, "PIPE_TIMEOUT", 0.0)
    os.mkfifo(tmp_path / "fifo")
    keep = os.open(tmp_path / "fifo", os.O_RDWR)
    os.write(keep, written)
    with pytest.raises(ConfigurationError, match="not written to its end within"):
        read(origin(tmp_path / "fifo"))

    os.close(keep)


def test_what_is_read_again(tmp_path: Path) -> None:
    """A pipe is refused where a file is read more than once, before it is emptied."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigurationError, match="read more than once"):
        read(origin(tmp_path / "fifo"), again=True)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_keys_that_others_can_read(tmp_path: Path, mode: int) -> None:
    """The warning names the file, its mode, and what to do; and whose call it was."""
    key = tmp_path / "key"
    key.touch()
    key.chmod(mode)
    with pytest.warns(InsecureKeyFileWarning, match=f"{mode:04o}.*chmod 600") as caught:
        warn_if_others_may_read(key)

    assert caught[0].filename == __file__


def test_keys_of_ones_own(tmp_path: Path) -> None:
    """A key that nobody else can read is not worth a word."""
    key = tmp_path / "key"
    key.touch(mode=0o600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_others_may_read(key)
