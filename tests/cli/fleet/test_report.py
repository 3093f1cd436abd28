"""`aiodps fleet report` writes the report, and checks thresholds."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.fleet.report.test_results import run_folder as results_folder
from tests.fleet.runs import run_folder

from aiodps.cli.extras import install
from aiodps.cli.fleet import command as fleet
from aiodps.cli.fleet.report import command

pytestmark = pytest.mark.slow


def test_for_people(tmp_path: Path) -> None:
    """The table, and where the page is."""
    done = CliRunner().invoke(command, [str(run_folder(tmp_path))])

    assert done.exit_code == 0, done.output
    assert "latency p99" in done.stdout
    assert f"report: {tmp_path}/report/index.html" in done.stdout
    assert (tmp_path / "report" / "index.html").read_text("utf-8").startswith("<!doctype html>")


def test_for_machines(tmp_path: Path) -> None:
    """--json is the summary, where the page is, and which thresholds were missed: exit 99."""
    words = [str(run_folder(tmp_path)), "--json", "--fail-if", "errors>1%,p99>1m"]
    done = CliRunner().invoke(command, words)
    facts = json.loads(done.stdout)

    assert done.exit_code == 99
    results = {(one["threshold"], one["of"]): one["passed"] for one in facts["thresholds"]}
    assert results == {
        ("errors>1%", "mqtt"): False,
        ("errors>1%", "rest"): False,
        ("p99>1m", "mqtt"): True,
        ("p99>1m", "rest"): True,
        ("unfinished>0", "the run"): True,
        ("limited", "the generator"): True,
    }
    assert Path(facts["report"]).exists()


@pytest.mark.sockets
def test_a_run_that_was_killed(tmp_path: Path) -> None:
    """Figures and samples are made from the journal, whatever other files say."""
    out = tmp_path / "run"
    no_waits = ("--retry-after", "0", "--min-poll", "0")
    ran = CliRunner().invoke(
        fleet, ["run", "--emulator", "--devices", "3", *no_waits, "--out", str(out)]
    )
    assert ran.exit_code == 0, ran.output
    (out / "summary.json").write_text("{")
    (out / "samples.csv").unlink()

    done = CliRunner().invoke(command, [str(out), "--json"])

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["transports"]["mqtt"]["assigned"] == 3
    assert (out / "samples.csv").exists()


@pytest.mark.parametrize("name", ["samples.csv", "summary.json", "report/index.html"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    """A file of the user's that a stranger's folder leads to is unchanged."""
    theirs, folder = tmp_path / "theirs", results_folder(tmp_path / "run")
    theirs.write_text("theirs")
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(theirs)
    done = CliRunner().invoke(command, [str(folder)])

    assert (done.exit_code, theirs.read_text()) == (2, "theirs")
    assert "neither a file nor a folder" in done.stderr


def test_the_extra_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what draws it, the command says what to install."""
    monkeypatch.setitem(sys.modules, "aiodps.fleet.report.html", None)
    done = CliRunner().invoke(command, [str(run_folder(tmp_path))])

    assert done.exit_code == 2
    assert install(command="fleet") in done.stderr


def test_nonsense(tmp_path: Path) -> None:
    """No run, or no threshold: exit 2 and a hint; nothing is written."""
    empty = CliRunner().invoke(command, [str(tmp_path)])
    words = [str(run_folder(tmp_path / "run")), "--fail-if", "p99"]
    nonsense = CliRunner().invoke(command, words)

    assert (empty.exit_code, nonsense.exit_code) == (2, 2)
    assert "summary.json does not exist" in empty.stderr
    assert "is not a valid threshold" in nonsense.stderr
    assert not list(tmp_path.rglob("report"))
