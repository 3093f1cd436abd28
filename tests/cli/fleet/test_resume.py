"""`aiodps fleet resume`, after each way in which a run can end too early."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.certificates import root
from tests.cli.fleet.test_run import FLEET, typed
from tests.fleet.servers import facts_of, fleet_command, server

from aiodps.fleet.journal.journal import State
from aiodps.fleet.report.results import read_results
from aiodps.pki.files import CredentialFiles


def begun(out: Path, *words: str) -> subprocess.Popen[str]:
    """Begin a rehearsal of 30 devices that takes a while, and wait until half has begun."""
    process = subprocess.Popen(
        [
            *(*FLEET, "run", "--emulator", "--devices", "30", "--concurrency", "10"),
            *("--assign-after", "1", "--retry-after", "1", "--min-poll", "0.5"),
            *("--out", str(out), *words),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        time.sleep(0.02)
        try:
            progress = json.loads((out / "control" / "0000.json").read_text())
        except (OSError, ValueError):
            continue

        if progress["assigned"] + progress["in_flight"] >= 10:
            return process

    process.kill()
    raise AssertionError(process.communicate())


def finished(out: Path) -> int:
    """Go on with the run to its end, and return how many registers it took."""
    ended = typed("resume", out, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    summary = json.loads(ended.stdout)
    assert summary["transports"]["mqtt"]["devices"] == 30
    states: dict[str, int] = summary["states"]
    assert states["assigned"] == 30
    assert not out.with_name(f"{out.name}.emulator").exists()
    return int(summary["transports"]["mqtt"]["register_requests"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 105), (signal.SIGTERM, 143)])
def test_asked_once_what_runs_is_finished(number: int, code: int, tmp_path: Path) -> None:
    """No new devices; those that ran are assigned; everything is written; the rest goes on."""
    out = tmp_path / "run"
    process = begun(out)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)

    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert "registrations are left" in stderr
    summary = json.loads((out / "summary.json").read_text())
    assert 10 <= summary["states"]["assigned"] < 30
    assert summary["states"]["sent"] == summary["states"]["operation"] == 0
    assert finished(out) == 30


def test_asked_twice_it_stops_now(tmp_path: Path) -> None:
    """Devices are left in the middle, and go on where they were, the emulator from its state."""
    out = tmp_path / "run"
    process = begun(out)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)

    assert process.returncode == 105, stderr
    assert time.monotonic() - began < 4
    states = json.loads((out / "summary.json").read_text())["states"]
    assert states["operation"] + states["sent"] == 10
    assert finished(out) <= 30 + states["sent"]


def test_killed(tmp_path: Path) -> None:
    """SIGKILL to the command alone: its shards end with it, the emulator is found again."""
    out = tmp_path / "run"
    process = begun(out)
    process.kill()
    process.communicate(timeout=30)
    assert finished(out) <= 30 + 10


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """A clear stop: nothing is sent that cannot be written down; with room, it goes on."""
    out, devices = tmp_path / "run", 150
    with server(retry_after=0) as dps:
        ca = CredentialFiles(directory=tmp_path, name="ca")
        ca.write(root())
        facts = facts_of(dps, tmp_path)
        command = fleet_command(facts, tmp_path, devices, "mqtt", ca=ca)
        stopped = subprocess.run(
            [*FLEET, *command, "--min-poll", "0", "--out", str(out)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
        )

        assert stopped.returncode == 1
        assert "Traceback" not in stopped.stderr
        assert "cannot be kept" in stopped.stderr
        assert "aiodps fleet resume" in stopped.stderr
        entries = read_results(out).entries
        unsure = sum(entry.state is State.SENT for entry in entries)
        assert 0 < sum(entry.state is State.ASSIGNED for entry in entries) < devices
        assert len(dps.emulator.counts.registers) == sum(entry.sent for entry in entries)
        assert typed("resume", out).returncode == 0
        registers = dps.emulator.counts.registers

    assert len(registers) == devices
    assert sum(registers.values()) <= devices + unsure


def test_no_run(tmp_path: Path) -> None:
    """A folder without one is refused in words."""
    ended = typed("resume", tmp_path)

    assert ended.returncode == 2
    assert "no run that can be read" in ended.stderr
