"""`aiodps fleet compare` shows two runs side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.fleet.runs import run_folder

from aiodps.cli.fleet.compare import command


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """Return the folders of two runs that have REST in common."""
    one = run_folder(tmp_path / "a")
    other = run_folder(tmp_path / "b", transports=("rest",), limited=True)
    return [str(one), str(other)]


def test_for_people(folders: list[str], tmp_path: Path) -> None:
    """What both used, what speaks against it, and a page if asked for."""
    page = tmp_path / "both.html"
    done = CliRunner().invoke(command, [*folders, "--out", str(page)])

    assert done.exit_code == 0, done.output
    assert "x 1.00" in done.stdout
    assert "was limited by its generator" in done.stderr
    assert "a vs. b" in page.read_text("utf-8")


def test_for_machines(folders: list[str]) -> None:
    """--json has cautions and every figure of both sides."""
    done = CliRunner().invoke(command, [*folders, "--json"])
    facts = json.loads(done.stdout)

    assert len(facts["cautions"]) == 1
    [rest] = facts["comparisons"]
    rows = {row["name"]: row for row in rest["rows"]}
    assert (rows["devices"]["left"], rows["devices"]["right"]) == (40, 40)
    assert rows["latency p50"]["verdict"] == "not enough blocks"


def test_several_runs_a_side(folders: list[str]) -> None:
    """`--` separates the sides, wherever options stand."""
    done = CliRunner().invoke(command, [folders[0]] * 3 + ["--"] + [folders[1]] * 4 + ["--json"])
    [rest] = json.loads(done.stdout)["comparisons"]

    assert (rest["left"].count("(3 runs)"), rest["right"].count("(4 runs)")) == (1, 1)
    assert {row["verdict"] for row in rest["rows"]} == {"no difference shown", None}


@pytest.mark.parametrize("words", ["a", "a b c", "a --", "-- b", "a -- b -- c"])
def test_two_sides_are_needed(words: str) -> None:
    """Anything else is bad input, and the message says what to give."""
    done = CliRunner().invoke(command, words.split())

    assert done.exit_code == 2
    assert "A... -- B..." in done.stderr


def test_no_run_there(folders: list[str], tmp_path: Path) -> None:
    """A folder without a run is bad input."""
    done = CliRunner().invoke(command, [folders[0], str(tmp_path)])

    assert done.exit_code == 2
    assert "summary.json" in done.stderr
