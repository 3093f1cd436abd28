"""A run that is killed again and again loses nothing and registers nobody without need."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.fleet.servers import fleet_command
from tests.scale.test_ten_thousand import registers_of

from aiodps.fleet.journal.journal import State
from aiodps.fleet.local_emulator import LocalEmulator
from aiodps.fleet.report.results import read_results
from aiodps.pki.files import CredentialFiles

pytestmark = pytest.mark.scale

KILLS = 20
DEVICES = 600
SEED = 2026


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """Run the command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "aiodps", "fleet", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.mark.parametrize("transport", ["rest", "mqtt"])
def test_killed_at_twenty_moments(
    transport: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """R1: 0 lost, one identity each, registers <= devices + those in state "sent" at a kill."""
    rng = random.Random(SEED)  # noqa: S311 (no secret)
    kills, unsure = 0, 0
    local_emulator = LocalEmulator.for_run(tmp_path / "emulator")
    local_emulator.create()
    ca = CredentialFiles(directory=local_emulator.folder, name="device-root")
    with local_emulator.running(admin_port=0, assign_after=0.3, retry_after=1) as facts:
        command = [
            *fleet_command(facts, tmp_path, DEVICES, transport, ca=ca),
            *("--min-poll", "0.5", "--concurrency", "20", "--shards", "2"),
            *("--out", str(tmp_path / "run"), "--json"),
        ]
        while kills < KILLS:
            process = started(command)
            command = ["resume", str(tmp_path / "run"), "--json"]
            if not _killed(process, tmp_path / "run", rng.uniform(0.0, 1.2)):
                break

            kills += 1
            states = [entry.state for entry in read_results(tmp_path / "run").entries]
            unsure += states.count(State.SENT)

        output, errors = started(command).communicate(timeout=120)
        registers = registers_of(local_emulator)

    states = json.loads(output)["states"]
    with capsys.disabled():
        print(  # noqa: T201 (a measurement)
            f"\n{transport}: {kills} kills, {DEVICES} devices, {sum(registers.values())} registers, "
            f"{unsure} unsure at a kill"
        )

    assert not errors
    assert kills == KILLS
    assert states["assigned"] == DEVICES
    assert len(registers) == DEVICES
    assert sum(registers.values()) <= DEVICES + unsure
    results = read_results(tmp_path / "run")
    assert len({sample.registration_id for sample in results.samples}) == DEVICES
    assert sum(sample.register_requests for sample in results.samples) >= sum(registers.values())


def _killed(process: subprocess.Popen[bytes], run: Path, after: float) -> bool:
    """Kill the whole group some time after devices have begun; False if it ended before."""
    deadline = time.monotonic() + 60
    while not (run / "control" / "start.json").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)

    time.sleep(0.5 + after)
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)

    process.communicate(timeout=30)
    return not ended
