"""`aiodps fleet compare` shows two runs side by side."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tests.fleet.runs import run_folder

from aiodps.cli.fleet.compare import command
from aiodps.cli.fleet.report import command as report

pytestmark = pytest.mark.slow


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

    assert len(facts["cautions"]) == 4
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


def hostile(value: object) -> object:
    """Put text that does harm into every string and every name of a JSON value."""
    match value:
        case str():
            return f"{value}\x1b[2J\x9d0;x\x9c\u202e\r\nforged"
        case dict():
            return {name: hostile(member) for name, member in value.items()} | {
                "\x1b[2Jx": "\x1b[2Jx"
            }
        case list():
            return [hostile(member) for member in value]
        case _:
            return value


@pytest.mark.parametrize("of", [command, report], ids=["compare", "report"])
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["people", "machines"])
def test_a_summary_of_somebody_elses_cannot_act(
    folders: list[str], words: tuple[str, ...], of: click.Command
) -> None:
    """Neither on the terminal nor on the order of its lines."""
    path = Path(folders[1], "summary.json")
    summary = json.loads(path.read_text("utf-8"))
    texts = ("environment", "generator", "arrivals", "command", "errors")
    changed = {name: hostile(summary[name]) for name in texts}
    path.write_text(json.dumps({**summary, **changed}), "utf-8")
    done = CliRunner().invoke(of, [*(folders if of is command else folders[1:]), *words])

    assert done.exit_code == 0, done.output
    assert all(line.isprintable() for line in (done.stdout + done.stderr).split("\n"))
    assert not [line for line in done.stderr.splitlines() if line.startswith("forged")]


@pytest.mark.parametrize(
    "changes",
    [
        {"transports": []},
        {"transports": {"rest": {}}},
        {"transports": {"rest": {"devices": 0}}},
        {"generator": None},
        {"environment": 5, "generator": {"limited": True}},
        {"schema_version": []},
    ],
    ids=str,
)
def test_a_summary_that_is_none(folders: list[str], changes: dict[str, object]) -> None:
    """One clear error, if what is wrong with it matters at all."""
    path = Path(folders[1], "summary.json")
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")
    for done in (CliRunner().invoke(command, folders), CliRunner().invoke(report, folders[1:])):
        assert (done.exit_code == 0) or (done.exit_code == 2 and "summary" in done.stderr)
        assert isinstance(done.exception, SystemExit | None)


@pytest.mark.parametrize("text", ["[" * 100_000, "", "5", "{", "[]"], ids=lambda x: x[:9])
def test_a_summary_that_is_no_json(folders: list[str], text: str) -> None:
    """Neither is one that is nested without end."""
    Path(folders[1], "summary.json").write_text(text, "utf-8")
    done = CliRunner().invoke(command, folders)

    assert (done.exit_code, "Traceback" in done.stderr) == (2, False)
