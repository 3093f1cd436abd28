"""Files of certificates, keys and passwords are read without waiting and without surprise."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from aiodps.credential_files import (
    InsecureKeyFileWarning,
    read,
    read_password,
    warn_if_others_may_read,
)
from aiodps.errors import ConfigurationError, PrivateKeyError


@pytest.mark.parametrize(
    ("content", "password"),
    [(b"abc", b"abc"), (b"abc\n", b"abc"), (b"abc\r\nmore\n", b"abc"), (b" p w \n", b" p w ")],
)
def test_a_password_is_the_first_line(tmp_path: Path, content: bytes, password: bytes) -> None:
    """Line ends do not count, blanks do."""
    (tmp_path / "password").write_bytes(content)

    assert read_password(tmp_path / "password") == password


@pytest.mark.parametrize("content", [b"", b"\nabc", b"x" * 1024, None])
def test_impossible_passwords_are_refused(tmp_path: Path, content: bytes | None) -> None:
    """An empty first line, one that is too long, or no file."""
    if content is not None:
        (tmp_path / "password").write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        read_password(tmp_path / "password")

    assert caught.value.setting == "password_file"


def test_only_regular_files_of_a_fair_size_are_read(tmp_path: Path) -> None:
    """A FIFO is not waited for, a directory and a giant are refused by name."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "giant").write_bytes(b"x" * (1024 * 1024 + 1))
    reasons = {"fifo": "not_regular", "": "not_regular", "giant": "too_large", "no": "unreadable"}
    for name, reason in reasons.items():
        with pytest.raises(PrivateKeyError) as caught:
            read(tmp_path / name, kind=PrivateKeyError)

        assert caught.value.reason == reason


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_keys_that_others_can_read(tmp_path: Path, mode: int) -> None:
    """The warning names the file, its mode, and what to do."""
    key = tmp_path / "key"
    key.touch()
    key.chmod(mode)
    with pytest.warns(InsecureKeyFileWarning, match=f"{mode:04o}.*chmod 600"):
        warn_if_others_may_read(key)


def test_keys_of_ones_own(tmp_path: Path) -> None:
    """A key that nobody else can read is not worth a word."""
    key = tmp_path / "key"
    key.touch(mode=0o600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_others_may_read(key)
