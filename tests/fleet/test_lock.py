"""One session of a run at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aiodps.errors import JournalError
from aiodps.fleet.lock import locked

_HOLDER = """
import sys
from pathlib import Path
from aiodps.fleet.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_process_gives_it_up(tmp_path: Path) -> None:
    """As long as another process lives, it is refused; after SIGKILL it can be had at once."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalError) as caught, locked(tmp_path):
            pass

        os.kill(holder.pid, signal.SIGKILL)

    assert caught.value.reason == "in_use"
    with locked(tmp_path):
        pass


def test_it_is_given_back(tmp_path: Path) -> None:
    """After the block, and after an error in it, which passes."""
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError

    with locked(tmp_path):
        pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is told as what it is."""
    with pytest.raises(JournalError) as caught, locked(tmp_path / "nowhere"):
        pass

    assert caught.value.reason == "unwritable"
