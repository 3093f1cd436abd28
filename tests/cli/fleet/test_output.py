"""How a run ends."""

from __future__ import annotations

import dataclasses
import signal
import sys
from pathlib import Path

import click
import pytest
from tests.fleet.report.test_results import run_folder

from aiodps.cli.fleet.arguments.evaluation import EvaluationArguments
from aiodps.cli.fleet.output import executor_for, fleet_exit_codes, report_results
from aiodps.errors import ConfigurationError, JournalError, ResourceError
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.plan.manifest import ManifestError
from aiodps.fleet.report.results import read_results
from aiodps.fleet.run.launch import Stop, process_pool


@pytest.fixture
def without_bokeh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is drawn, which takes half a second, where the extra is not installed."""
    monkeypatch.setitem(sys.modules, "aiodps.fleet.report.html", None)


@pytest.mark.usefixtures("without_bokeh")
@pytest.mark.parametrize(
    ("number", "fail_if", "code"),
    [
        (None, None, 1),
        (signal.SIGINT, None, 105),
        (signal.SIGTERM, None, 143),
        (signal.SIGHUP, None, 129),
        (signal.SIGTERM, "errors>0", 143),
        (None, "errors>0", 99),
    ],
)
def test_exit_codes(
    number: int | None, fail_if: str | None, code: int, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """R6: what a script is told; the folder is whole in all of them, and what comes next is said."""
    folder = run_folder(tmp_path / "run")
    stop = Stop()
    if number is not None:
        stop.request(number)

    results = read_results(folder)
    run = dataclasses.replace(results.run, evaluation=Evaluation(fail_if=fail_if))
    results = dataclasses.replace(results, run=run)
    arguments = EvaluationArguments()

    assert report_results(folder, results, arguments=arguments, as_json=False, stop=stop) == code
    assert (folder / "summary.json").exists()
    told = capsys.readouterr().err
    assert "18 registrations have not ended" in told
    assert f"aiodps fleet resume {folder}" in told.replace("\n", "")


@pytest.mark.usefixtures("without_bokeh")
def test_the_table_says_when_the_generator_was_the_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And shows errors with their example."""
    folder = run_folder(tmp_path / "run")
    arguments = EvaluationArguments()
    report_results(folder, read_results(folder), arguments=arguments, as_json=False, stop=Stop())
    text = capsys.readouterr().out

    assert "The run was limited by its generator: a core was over 90 % busy for 2.00 s" in text
    assert "1 x ForbiddenError" in text


def test_a_bad_list_is_shown_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Up to a screenful, and how many more there are."""
    faults = [(line, "is bad") for line in range(1, 81)]
    with pytest.raises(SystemExit) as caught, fleet_exit_codes(as_json=False):
        raise ManifestError(Path("m.csv"), faults)

    told = capsys.readouterr().err
    assert caught.value.code == 2
    assert "m.csv:50: is bad" in told
    assert "m.csv:51: is bad" not in told
    assert "and 30 more" in told
    assert "faults=" not in told


def test_a_journal_that_cannot_be_kept_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Disk full: not the input's fault, and the next step is said."""
    with pytest.raises(SystemExit) as caught, fleet_exit_codes(as_json=False):
        raise JournalError("the journal cannot be kept", reason="unwritable")

    assert caught.value.code == 1
    assert "aiodps fleet resume" in capsys.readouterr().err


def test_processes_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask only if asked for, and its absence is told."""
    assert executor_for(None) is process_pool
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "aiodps.fleet.run.dask", raising=False)
    with pytest.raises(click.UsageError, match=r"--dask needs an extra: pip install .*\[dask\]"):
        executor_for("tcp://x:1")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ResourceError("a shard was killed"), 1),
        (ConfigurationError("no", setting="rate"), 2),
        (KeyboardInterrupt(), 105),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_have_the_fleet_s_codes(error: BaseException, code: int) -> None:
    """R6 knows no other: what a device could not do is in the summary."""
    with pytest.raises(SystemExit) as caught, fleet_exit_codes(as_json=False):
        raise error

    assert caught.value.code == code


@pytest.mark.parametrize(("rows", "times"), [(1, 1), (2, 3)])
def test_a_bad_row_is_said_once(rows: int, times: int, capsys: pytest.CaptureFixture[str]) -> None:
    """If there are several, they are listed, and the message has the first again."""
    bad = [(line, "no credential") for line in range(2, 2 + rows)]
    with pytest.raises(SystemExit), fleet_exit_codes(as_json=False):
        raise ManifestError(Path("m.csv"), bad)

    assert capsys.readouterr().err.count("no credential") == times
