"""`aiodps fleet capacity`, as it is typed."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.certificates import root
from tests.fleet.servers import fleet_command, run_facts, server

from aiodps.cli.fleet import capacity
from aiodps.cli.fleet.capacity import command
from aiodps.fleet.capacity import Step, step_of
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.report.results import read_results
from aiodps.pki.files import CredentialFiles


def searched(folder: Path, *words: str) -> Result:
    """Search with 40 devices, and a service in a thread."""
    ca = CredentialFiles(directory=folder, name="ca")
    ca.write(root())
    with server(retry_after=0) as dps:
        _, *where = fleet_command(run_facts(dps, folder), folder, 40, "mqtt", ca=ca)
        given = [*where, "--min-poll", "0", "--out", str(folder / "search"), "--json", *words]
        return CliRunner().invoke(command, given)


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run shards in threads."""
    monkeypatch.setattr(capacity, "executor_for", lambda _: ThreadPoolExecutor)


RANGE = ("--from", "20", "--to", "640", "--step-duration", "200ms", "--allow-limited")


@pytest.mark.sockets
@pytest.mark.usefixtures("in_threads")
def test_each_step_has_devices_of_its_own(tmp_path: Path) -> None:
    """4, 8 and 16 of them; for another 32 there are too few, which is the end."""
    ended = searched(tmp_path, *RANGE, "--fail-if", "register_requests>1")
    found = json.loads(ended.stdout)

    assert (ended.exit_code, found["end"], found["rate"], found["bound"]) == (
        *(1, "devices", 80, None),
    )
    assert [step["devices"] for step in found["steps"]] == [4, 8, 16]
    runs = [
        RunFile.read(tmp_path / "search" / step["folder"]).source.registration_ids()
        for step in found["steps"]
    ]
    used = [name for run in runs for name in run]
    assert used == [f"device-{number:03}" for number in range(28)]
    written = json.loads((tmp_path / "search" / "capacity.json").read_text())
    assert written == found


@pytest.mark.sockets
@pytest.mark.usefixtures("in_threads")
def test_the_lowest_rate_is_too_high(tmp_path: Path) -> None:
    """One step, exit code 99, and which threshold it was."""
    ended = searched(tmp_path, *RANGE, "--fail-if", "register_requests>=1")
    found = json.loads(ended.stdout)

    assert (ended.exit_code, found["end"], found["rate"], found["bound"]) == (
        *(99, "lowest", None, 20),
    )
    assert [step["reasons"] for step in found["steps"]] == [["register_requests>=1 (mqtt)"]]


@pytest.mark.sockets
@pytest.mark.usefixtures("in_threads")
def test_ctrl_c_between_two_steps_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured is written, and the exit code is that of Ctrl-C."""

    def step_then_ctrl_c(*args: Any, **kwargs: Any) -> Step:
        signal.raise_signal(signal.SIGINT)
        return step_of(*args, **kwargs)

    monkeypatch.setattr(capacity, "step_of", step_then_ctrl_c)
    ended = searched(tmp_path, *RANGE, "--fail-if", "register_requests>1")
    written = json.loads((tmp_path / "search" / "capacity.json").read_text())

    assert (ended.exit_code, written["end"]) == (105, "stopped")
    assert [step["rate"] for step in written["steps"]] == [20]


@pytest.mark.sockets
@pytest.mark.usefixtures("in_threads")
def test_a_step_that_is_certain_to_miss_ends_early(tmp_path: Path) -> None:
    """With --abort-on-fail; the search goes on with what the step showed."""
    words = ("--from", "4", "--to", "9", "--step-duration", "10s", "--allow-limited")
    ended = searched(tmp_path, *words, "--fail-if", "max>0.1ms", "--abort-on-fail")
    found = json.loads(ended.stdout)

    assert (ended.exit_code, found["end"]) == (99, "lowest")
    (step,) = found["steps"]
    assert step["outcome"] == "missed"
    assert read_results(tmp_path / "search" / step["folder"]).left > 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "1", "--to", "9"], "needs thresholds"),
        (["--from", "9", "--to", "1", "--fail-if", "p99>5s"], "to cannot be"),
        (["--from", "1", "--to", "9", "--fail-if", "p98>5s"], "not a valid threshold"),
        (
            ["--from", "1", "--to", "99", "--fail-if", "p99>5s", "--limit-rate", "60"],
            "limit of 60",
        ),
    ],
)
def test_what_cannot_be_meant(words: list[str], message: str, tmp_path: Path) -> None:
    """It is refused before the first step."""
    ended = CliRunner().invoke(command, ["--emulator", *words, "--out", str(tmp_path / "out")])

    assert ended.exit_code == 2
    assert message in ended.stderr
    assert not (tmp_path / "out").exists()
