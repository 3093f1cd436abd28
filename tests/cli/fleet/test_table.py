"""Tables say what summaries and comparisons say."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from tests.fleet.ci.test_junit import RESULTS
from tests.fleet.report.test_summary import FACTS
from tests.fleet.report.test_thresholds import summary_of
from tests.fleet.runs import run_folder
from tests.fleet.samples import sample

from aiodps.cli.fleet.table import show_capacity, show_comparison, show_evaluation, show_summary
from aiodps.fleet.capacity import Capacity, End, Outcome, Step
from aiodps.fleet.inference.estimate import Interval
from aiodps.fleet.report.compare import Comparison, Row, Verdict
from aiodps.fleet.report.summary import read_summary, summarize
from aiodps.fleet.report.verdict import Kind

VERDICT = {"kind": "good", "lead": "Passed", "sentence": "all got one."}


def test_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each transport has its column; errors have an example; a limited generator is said."""
    run_folder(tmp_path, limited=True)
    show_summary(read_summary(tmp_path / "summary.json") | {"verdict": VERDICT})
    text = capsys.readouterr().out
    rows = {" ".join(line.split()) for line in text.splitlines()}

    assert {
        *(
            "devices 40 40",
            "failed 1 1",
            "latency p50 2.10 s 2.10 s",
            "latency p99.9 max of 39 max of 39",
        ),
        *(
            "of all, p50 2.10 s 2.10 s",
            "of all, p99 never never",
            "time to failure max 150 ms 150 ms",
        ),
        *("contoso.azure-devices.net 39 39", "drained in 2.12 s 2.12 s"),
    } <= rows
    assert "2 x UnauthorizedError 401002:" in text
    assert "tracking id t-1; first 500 ms, last 500 ms" in text
    assert text.startswith(
        "Passed: all got one.\ncaution: The run was limited by its generator: the event loop was late by 300 ms at p99"
    )


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_verdict_comes_first(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As in the report, whole or in a few words."""
    verdict = {"kind": kind, "lead": "Not finished", "sentence": ""}
    show_summary(summarize([sample()], FACTS) | {"verdict": verdict})

    assert capsys.readouterr().out.startswith("Not finished\n")


def test_rows_without_a_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """Where all were assigned, percentiles of all are those of latency, and nothing failed."""
    show_summary(summarize([sample()], FACTS) | {"verdict": VERDICT})
    text = capsys.readouterr().out

    assert "of all" not in text
    assert "time to failure" not in text
    assert "own wait between polls, mean" in text


def test_a_long_reason_is_folded(capsys: pytest.CaptureFixture[str]) -> None:
    """Thresholds keep their names beside it, in eighty columns."""
    row = {"of": "mqtt", "value": 1, "limit": 1, "unit": "", "passed": False, "reason": None}
    limited = {**row, "threshold": "limited", "reason": "the event loop was late " * 9}
    named = {**row, "threshold": "register_requests>=1"}
    show_evaluation({**summarize([], FACTS), "thresholds": [named, limited]})
    lines = {" ".join(line.split()) for line in capsys.readouterr().out.splitlines()}

    assert "register_requests>=1 mqtt 1 missed" in lines


def test_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A run of which nothing is known has a table without columns."""
    show_summary(summarize([], FACTS) | {"verdict": VERDICT})

    assert "devices" in capsys.readouterr().out


def test_two_sides(capsys: pytest.CaptureFixture[str]) -> None:
    """Units are written as in a summary; where there is no ratio stands a dash."""
    rows = (
        Row(
            name="latency p99",
            unit="s",
            left=1.0,
            right=1.5,
            interval=Interval(1.2, 1.9),
            verdict=Verdict.WORSE,
        ),
        Row(name="failed", unit="%", left=0.0, right=0.01, verdict=Verdict.FEW_RUNS),
        Row(name="assigned", unit="/s", left=10.0, right=20.0),
    )
    show_comparison(Comparison(left="a", right="b", basis="From ten runs.", rows=rows))
    lines = {" ".join(line.split()) for line in capsys.readouterr().out.splitlines()}

    assert {
        "latency p99 1.00 s 1.50 s x 1.50 1.20-1.90 worse",
        "failed 0 % 1.00 % - - not enough runs",
        "assigned 10.0/s 20.0/s x 2.00 - -",
        "From ten runs.",
    } <= lines


def test_long_names_are_folded(capsys: pytest.CaptureFixture[str]) -> None:
    """A comparison fits into 80 columns."""
    row = Row(
        name="register requests per device",
        unit="",
        left=1.0,
        right=1.5,
        interval=Interval(1.2, 1.9),
        verdict=Verdict.NO_DIFFERENCE,
    )
    sides = {"left": "monday-morning (10 runs) mqtt", "right": "tuesday-morning (10 runs) mqtt"}
    show_comparison(Comparison(**sides, basis="", rows=(row,)))
    lines = capsys.readouterr().out.splitlines()

    assert max(map(len, lines)) <= 80
    assert "no difference shown" in lines[5]


@pytest.mark.parametrize(
    ("end", "rate", "words"),
    [
        (End.FOUND, 80.0, "80/s meets the thresholds, 88/s does not"),
        (End.LOWEST, None, "even the lowest rate, 88/s, misses a threshold"),
        (End.GENERATOR, 80.0, "limited by the generator at 88/s: 80/s meets the thresholds"),
        (End.GENERATOR, None, "by the generator at 88/s: what the service can do is not known"),
        (End.RANGE, 80.0, "the highest rate of the search"),
        (End.DEVICES, None, "too few devices for another step: no rate meets"),
        (End.STOPPED, 80.0, "stopped: 80/s meets the thresholds so far"),
    ],
)
def test_a_search(
    end: End, rate: float | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each step, and what they say together."""
    step = Step(
        rate=88.0, outcome=Outcome.LIMITED, folder="01-88", devices=1234, achieved_rate=61.25,
        p50=1.0, p99=None, reasons=("late", "busy"),
    )  # fmt: skip
    show_capacity(Capacity(rate=rate, bound=88.0, end=end, steps=(step,)))
    text = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in text.splitlines()]

    assert {"88.0/s 1,234 61.2/s 1.00 s - limited", "88.0/s limited: late; busy"} <= {*rows}
    assert words in text


def test_thresholds(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each, whole however long a reason is, which comes below; and the window."""
    window = {"from": 60.0, "to": 300.0, "warm_up": 1200, "cool_down": 3, "failed": 2}
    late = {**RESULTS[2], "reason": "late " * 40}
    show_evaluation(summary_of([], thresholds=[*RESULTS[:2], late], window=window))
    text = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in text.splitlines()]

    assert {"p99>5s mqtt 1.50 s passed", "errors>0.1% rest 1.20 % missed"} <= {*rows}
    assert "limited the generator - missed" in rows
    assert "limited (the generator): late late late" in text
    assert "1,200 devices of the warm-up and 3 of the cool-down are left out, 2 failed" in text


def test_a_calibration(capsys: pytest.CaptureFixture[str]) -> None:
    """Its sentences; without one, and without thresholds, nothing is shown."""
    show_evaluation(summary_of([]))
    assert capsys.readouterr().out == ""
    show_evaluation(summary_of([], calibration={"sentences": ["It adds 7 ms."]}))
    assert capsys.readouterr().out == "It adds 7 ms.\n"
