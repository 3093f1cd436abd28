"""Two runs or transports side by side, with what speaks against comparing them."""

from __future__ import annotations

import itertools
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fleet.report.test_summary import FACTS
from tests.fleet.runs import run_folder
from tests.fleet.samples import sample
from tests.fleet.simulated import simulated_run

from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.report.compare import (
    Comparison,
    Row,
    Run,
    Verdict,
    cautions,
    compare_runs,
    compare_transports,
    read_run,
    run_names,
    side_name,
)
from aiodps.fleet.report.summary import summarize

pytestmark = pytest.mark.slow


def run(
    name: str = "a", *, took: float, transports: tuple[str, ...] = ("rest",), failed: int = 0
) -> Run:
    """Make a run whose devices all took the same time."""
    samples = [sample(transport=name, finished=took) for name in transports]
    samples += [sample(transport=transports[0], outcome=Outcome.FAILED)] * failed
    return Run(name=name, summary=summarize(samples, FACTS), samples=samples)


def row(comparison: Comparison, name: str) -> Row:
    """Find a row."""
    return next(one for one in comparison.rows if one.name == name)


def differences(left: list[Run], right: list[Run]) -> dict[str, Verdict]:
    """Compare two sides and return the verdicts that tell a difference."""
    [found] = compare_runs(left, right)
    told = {Verdict.BETTER, Verdict.WORSE}
    return {one.name: one.verdict for one in found.rows if one.verdict in told}


def test_two_runs() -> None:
    """Each transport that both used, left and right, and right by left."""
    [rest] = compare_runs(
        [run("a", took=2.0, transports=("rest", "mqtt"))], [run("b", took=3.0, failed=1)]
    )
    p99 = row(rest, "latency p99")

    assert (rest.left, rest.right) == ("a rest", "b rest")
    assert (p99.left, p99.right, p99.ratio, p99.unit) == (2.0, 3.0, 1.5, "s")
    assert row(rest, "failed").right == 0.5
    assert row(rest, "failed").ratio is None


def test_nothing_in_common() -> None:
    """One run by REST and one by MQTT are compared as they are; an empty run with nothing."""
    rest, mqtt = run("a", took=2.0), run("b", took=1.0, transports=("mqtt",))
    empty = Run(name="c", summary=summarize([], FACTS), samples=())

    assert [one.right for one in compare_runs([rest], [mqtt])] == ["b mqtt"]
    assert compare_runs([rest], [empty]) == []


def test_transports_of_one_run() -> None:
    """Within a run, each is compared with each, rest on the left; one alone is not compared."""
    [both] = compare_transports(run(took=2.0, transports=("mqtt", "rest")))
    three = compare_transports(run(took=2.0, transports=("mqtt", "mqtt-ws", "rest")))

    assert (both.left, both.right) == ("rest", "mqtt")
    assert row(both, "latency p50").ratio == pytest.approx(1.0)
    assert [(one.left, one.right) for one in three] == [
        ("rest", "mqtt-ws"),
        ("rest", "mqtt"),
        ("mqtt-ws", "mqtt"),
    ]
    assert compare_transports(run(took=2.0)) == []


def test_nothing_assigned() -> None:
    """A side without a latency has none, and no ratio and no verdict."""
    failed = [sample(outcome=Outcome.FAILED)]
    broken = Run(name="b", summary=summarize(failed, FACTS), samples=failed)
    [rest] = compare_runs([run(took=2.0)], [broken])
    p50 = row(rest, "latency p50")

    assert (p50.right, p50.ratio, p50.verdict) == (None, None, None)


@pytest.mark.simulation
def test_one_run_against_the_same_again() -> None:
    """Two runs of one thing are told as equal 19 times of 20, though neighbours are alike."""
    runs = [simulated_run(seed, devices=1500) for seed in range(21)]
    told = [differences([left], [right]) for left, right in itertools.pairwise(runs)]

    assert sum(not each for each in told) >= 19


def test_one_run_against_a_slower_one() -> None:
    """Twice the latency is worse in every percentile that enough devices have, and in nothing else."""
    fast, slow = simulated_run(1), simulated_run(2, slower=2.0)

    assert set(differences([fast], [slow])) == {
        *(f"latency {name}" for name in ("p50", "p75", "p90", "p95", "p99", "mean")),
        "service time p50",
    }
    assert set(differences([slow], [fast]).values()) == {Verdict.BETTER}


@pytest.mark.simulation
def test_ten_runs_a_side() -> None:
    """The same again is told as equal 19 times of 20; a tenth more is told as more, each time."""
    fast = [simulated_run(seed, devices=1500) for seed in range(30)]
    slow = [simulated_run(100 + seed, devices=1500, slower=1.1) for seed in range(20)]
    rng = random.Random(1)  # noqa: S311
    same = [rng.sample(fast, 20) for _ in range(20)]
    more = [(rng.sample(fast, 10), rng.sample(slow, 10)) for _ in range(20)]

    assert sum(not differences(runs[:10], runs[10:]) for runs in same) >= 19
    assert all("latency p50" in differences(left, right) for left, right in more)


def test_the_interval_is_of_the_ratio() -> None:
    """It holds the true 1.1, and its middle is the ratio."""
    [found] = compare_runs(
        [simulated_run(seed, devices=500) for seed in range(10)],
        [simulated_run(50 + seed, devices=500, slower=1.1) for seed in range(10)],
    )
    mean = row(found, "latency mean")

    assert mean.interval is not None
    assert not mean.interval.excludes(1.1)
    assert math.sqrt(mean.interval.low * mean.interval.high) == pytest.approx(mean.ratio)
    assert found.left == "run-0 (10 runs) rest"


@pytest.mark.parametrize(("left", "right"), [(2, 2), (1, 3), (3, 1)])
def test_few_runs(left: int, right: int) -> None:
    """Two differences are too few to know how runs vary, and one run has none."""
    runs = [run(took=1.0 + seed / 10) for seed in range(left + right)]
    [found] = compare_runs(runs[:left], runs[left:])

    assert {one.verdict for one in found.rows} == {Verdict.FEW_RUNS, None}
    assert "at least 3 on each side" in found.basis


def test_short_runs_and_few_devices() -> None:
    """Nine seconds have too few blocks; two thousand devices have two beyond p99.9."""
    [short] = compare_runs([simulated_run(1, devices=400)], [simulated_run(2, devices=400)])
    [long] = compare_runs([simulated_run(1)], [simulated_run(2)])

    assert {one.verdict for one in short.rows} == {Verdict.FEW_BLOCKS, None}
    assert "too short" in short.basis
    assert row(long, "latency p99.9").verdict is Verdict.FEW_DEVICES
    assert (row(long, "latency max").verdict, row(long, "devices").verdict) == (None, None)


def test_failures_are_counted() -> None:
    """One failure more a run may be by accident, and twenty are not."""
    none = [simulated_run(seed, devices=500) for seed in range(3)]

    def failing(count: int) -> list[Run]:
        return [_with_failures(each, count) for each in none]

    assert "failed" not in differences(none, failing(1))
    assert differences(none, failing(20))["failed"] is Verdict.WORSE
    assert differences(failing(20), none)["failed"] is Verdict.BETTER


def _with_failures(of: Run, count: int) -> Run:
    failed = [replace(one, outcome=Outcome.FAILED) for one in of.samples[:count]]
    samples = [*failed, *of.samples[count:]]
    return Run(name=of.name, summary=summarize(samples, FACTS), samples=samples)


def test_what_differs_from_run_to_run_counts() -> None:
    """Three runs a side whose means differ by a third among themselves do not show a tenth."""
    left = [simulated_run(seed, devices=500, slower=1 + seed / 3) for seed in range(3)]
    right = [simulated_run(9 + seed, devices=500, slower=1.1 + seed / 3) for seed in range(3)]

    assert differences(left, right) == {}


def test_as_json(tmp_path: Path) -> None:
    """Every figure with its ratio, interval and verdict."""
    one = read_run(run_folder(tmp_path / "a"))
    [_, rest] = compare_runs([one], [one])
    found = json.loads(json.dumps(rest.to_json()))

    assert found["rows"][0] == {
        "name": "devices",
        "unit": "",
        "left": 40,
        "right": 40,
        "interval": None,
        "verdict": None,
        "ratio": 1.0,
    }
    assert found["rows"][1]["verdict"] == "not enough blocks"


def test_cautions() -> None:
    """Other machines, other arrivals, a generator that could not keep up: all are said."""
    one, other = run(took=1.0).summary, run(took=1.0).summary
    assert cautions({"a": one, "b": other}) == []

    other["environment"] = {"python": "3.13.0"}
    other["arrivals"] = "burst"
    other["generator"] = {"limited": True, "why": ["it was late"], "unknown": None}

    assert cautions({"a": one, "b": other}) == [
        "b: The run was limited by its generator: it was late.",
        "arrivals differs: a open, 10/s, b burst",
        "python differs: a 3.11.7, b 3.13.0",
    ]


def test_names_of_runs() -> None:
    """Runs are called as their folders, or by the whole path where two of these are alike."""
    assert run_names([Path("runs/a"), Path("runs/b")]) == ["a", "b"]
    assert run_names([Path("mon/a"), Path("tue/a"), Path("b")]) == ["mon/a", "tue/a", "b"]


def test_names_of_sides() -> None:
    """A side is called by its first run, and how many there are."""
    assert side_name([run("a", took=1.0)]) == "a"
    assert side_name([run(name, took=1.0) for name in "abc"]) == "a (3 runs)"
