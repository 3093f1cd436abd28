"""A process is signalled only if it is certainly ours."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aiodps.fleet.own_process import OwnProcess

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.skipif(sys.platform != "linux", reason="pidfd is Linux's"),
]
OPTION = ("--ready-file", "/run/a.emulator/emulator.json")
MODULE = ("waiting", "emulator")
WAITING = """
import signal, sys
if "--deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

print("there", flush=True)
input()
"""


@contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that waits, with these words in its command line."""
    folder.joinpath("waiting.py").write_text(WAITING)
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        yield process
        process.kill()


def find(pid: object) -> OwnProcess | None:
    """Look for our process."""
    return OwnProcess.find(pid, module=MODULE, option=OPTION)


def test_ours_is_stopped(tmp_path: Path) -> None:
    """By its pidfd."""
    with running(tmp_path, "-m", *MODULE, *OPTION) as process:
        found = find(process.pid)
        assert found is not None
        found.stop(seconds=60)
        assert process.wait() == -signal.SIGTERM


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After some seconds, here none."""
    with running(tmp_path, "-m", *MODULE, "--deaf", *OPTION) as process:
        found = find(process.pid)
        assert found is not None
        found.stop(seconds=0)
        assert process.wait() == -signal.SIGKILL


def test_one_that_has_ended_is_no_error(tmp_path: Path) -> None:
    """It is what was wanted."""
    with running(tmp_path, "-m", *MODULE, *OPTION) as process:
        found = find(process.pid)
        assert found is not None
        process.kill()
        process.wait()
        found.stop(seconds=60)


@pytest.mark.parametrize(
    "words",
    [
        ("waiting.py", *OPTION),
        ("waiting.py", "-m", *MODULE, *OPTION),
        ("-m", "waiting", *OPTION),
        ("-m", *MODULE, OPTION[0], f"{OPTION[1]}.other"),
        ("-m", *MODULE, OPTION[1], OPTION[0]),
        ("-m", *MODULE, f"{OPTION[0]}={OPTION[1]}"),
    ],
    ids=["program", "in-arguments", "module", "another-run", "other-order", "one-word"],
)
def test_another_process_is_left_alone(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Although its pid is in the file, and the folder's name in its command line."""
    with running(tmp_path, *words) as process:
        assert find(process.pid) is None
        assert process.poll() is None


@pytest.mark.parametrize("pid", [0, -1, 1, True, "1", None, 1.5, 2**31 - 1, 2**70])
def test_what_is_no_process_of_ours(pid: object) -> None:
    """Whatever the file says."""
    assert find(pid) is None
