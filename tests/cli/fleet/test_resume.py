"""`aiodps fleet resume`, after each way in which a run can end too early."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.certificates import root
from tests.cli.fleet.test_run import FLEET
from tests.fleet.fleets import NEVER
from tests.fleet.servers import Server, fleet_command, run_facts, server

from aiodps.cli.fleet import command as fleet
from aiodps.cli.fleet import output
from aiodps.cli.fleet.live import LiveDisplay
from aiodps.fleet.journal.journal import State
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.report.results import read_results
from aiodps.fleet.run import engine
from aiodps.fleet.run.launch import Stop
from aiodps.fleet.run.session import Session
from aiodps.pki.files import CredentialFiles

QUICK = ("--min-poll", "0", "--concurrency", "10")

pytestmark = pytest.mark.sockets


@pytest.fixture
def dps() -> Iterator[Server]:
    """Run an emulator that assigns nobody until it is told to."""
    with server(assign_after=NEVER, retry_after=0) as running:
        yield running


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run shards in threads that wait for their devices; give a run folder."""
    monkeypatch.setattr(engine, "GRACE", NEVER)
    monkeypatch.setattr(output, "executor_for", lambda _: ThreadPoolExecutor)
    return tmp_path / "run"


def of_thirty(dps: Server, out: Path) -> list[str]:
    """Say how thirty devices are provisioned, ten at a time."""
    ca = CredentialFiles(directory=out.parent, name="ca")
    ca.write(root())
    command = fleet_command(run_facts(dps, out.parent), out.parent, 30, "mqtt", ca=ca)
    return [*command, *QUICK, "--out", str(out)]


def watched(
    command: list[str], monitor: Callable[[Progress, Stop], None], monkeypatch: pytest.MonkeyPatch
) -> Result:
    """Run a command for somebody who watches the display."""

    class Display(LiveDisplay):
        def __call__(self, progress: Progress) -> None:
            monitor(progress, self._stop)

    with monkeypatch.context() as patch:
        patch.setattr(output, "LiveDisplay", Display)
        return CliRunner().invoke(fleet, command)


def resumed(out: Path) -> None:
    """Resume a run to its end."""
    ended = CliRunner().invoke(fleet, ["resume", str(out), "--json"])
    assert (ended.exit_code, ended.stderr) == (0, "")
    summary = json.loads(ended.stdout)
    assert summary["transports"]["mqtt"]["devices"] == 30
    assert summary["states"]["assigned"] == 30


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 105), (signal.SIGTERM, 143)])
def test_first_signal_drains(
    number: int, code: int, dps: Server, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No new devices; those that ran are assigned; everything is written; the rest goes on."""
    drain = Session.drain

    def drained(session: Session) -> None:
        drain(session)
        dps.release()

    def ask(progress: Progress, stop: Stop) -> None:
        if progress.in_flight == 10 and stop.order is None:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Session, "drain", drained)
    ended = watched(of_thirty(dps, out), ask, monkeypatch)

    assert ended.exit_code == code, ended.output
    assert "20 registrations have not ended" in ended.stderr
    states = json.loads((out / "summary.json").read_text())["states"]
    assert (states["assigned"], states["planned"]) == (10, 20)
    resumed(out)
    assert sorted(dps.emulator.counts.register_requests.values()) == [1] * 30


def test_second_signal_halts(dps: Server, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices are left in the middle, and go on where they were."""
    with dps.registered(10) as reached:

        def ask(*_: object) -> None:
            if reached.is_set():
                os.kill(os.getpid(), signal.SIGINT)

        ended = watched(of_thirty(dps, out), ask, monkeypatch)

    assert ended.exit_code == 105, ended.output
    states = json.loads((out / "summary.json").read_text())["states"]
    assert states["operation"] + states["sent"] == 10
    dps.release()
    resumed(out)
    assert sum(dps.emulator.counts.register_requests.values()) <= 30 + states["sent"]


def test_killed(dps: Server, out: Path) -> None:
    """SIGKILL to the command alone: its shards end with it, and the run can be resumed."""
    with dps.registered(10) as reached:
        process = subprocess.Popen(
            [*FLEET, *of_thirty(dps, out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        with process:
            reached.wait()
            process.kill()
            # The shard has the other end, too: this ends when it has ended.
            process.communicate()

    unsure = sum(entry.state is State.SENT for entry in read_results(out).entries)
    dps.release()
    resumed(out)
    assert sum(dps.emulator.counts.register_requests.values()) <= 30 + unsure


def test_a_disk_that_is_full(tmp_path: Path, out: Path) -> None:
    """A clear stop: nothing is sent that cannot be written down; with free space, it is resumed."""
    devices = 150
    with server(retry_after=0) as dps:
        ca = CredentialFiles(directory=tmp_path, name="ca")
        ca.write(root())
        facts = run_facts(dps, tmp_path)
        command = fleet_command(facts, tmp_path, devices, "mqtt", ca=ca)
        stopped = subprocess.run(
            [*FLEET, *command, "--min-poll", "0", "--out", str(out)],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
        )

        assert stopped.returncode == 1
        assert "Traceback" not in stopped.stderr
        assert "cannot be read or written" in stopped.stderr
        assert "aiodps fleet resume" in stopped.stderr
        entries = read_results(out).entries
        unsure = sum(entry.state is State.SENT for entry in entries)
        assert 0 < sum(entry.state is State.ASSIGNED for entry in entries) < devices
        assert len(dps.emulator.counts.register_requests) == sum(entry.sent for entry in entries)
        assert CliRunner().invoke(fleet, ["resume", str(out)]).exit_code == 0
        registers = dps.emulator.counts.register_requests

    assert len(registers) == devices
    assert sum(registers.values()) <= devices + unsure


def test_no_run(tmp_path: Path) -> None:
    """A folder without one is refused in words."""
    ended = CliRunner().invoke(fleet, ["resume", str(tmp_path)])

    assert ended.exit_code == 2
    assert "no run that can be read" in ended.stderr
