"""Key material gets a path for a moment, and leaves nothing behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from aiodps.attestation.memory_file import as_file


def test_in_memory() -> None:
    """On Linux the file has no place in the file system, and is gone afterwards."""
    with as_file(b"secret") as path:
        assert Path(path).read_bytes() == b"secret"
        assert os.readlink(path).startswith("/memfd:")  # noqa: PTH115 (not a path)

    assert not Path(path).exists()


def test_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there are no memory files, a file that only the user can read, removed at once."""
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with as_file(b"secret") as path:
        mode = stat.S_IMODE(Path(path).stat().st_mode)
        assert Path(path).read_bytes() == b"secret"

    assert mode == 0o600
    assert not Path(path).exists()


def test_nothing_is_left_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is gone after an error in the block too."""
    monkeypatch.delattr(os, "memfd_create")
    with pytest.raises(ZeroDivisionError), as_file(b"secret") as path:
        raise ZeroDivisionError

    assert not Path(path).exists()
