"""Two runs or transports side by side, with what speaks against comparing them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample

from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.report.compare import (
    Comparison,
    Row,
    cautions,
    compare_runs,
    compare_transports,
    run_names,
)
from aiodps.fleet.report.summary import Summary, summarize


def run(*, took: float, transports: tuple[str, ...] = ("rest",), failed: int = 0) -> Summary:
    """Summarize a run whose devices all took the same time."""
    samples = [sample(transport=name, finished=took) for name in transports]
    failures = [sample(transport=transports[0], outcome=Outcome.FAILED)] * failed
    return summarize([*samples, *failures], FACTS)


def row(comparison: Comparison, name: str) -> Row:
    """Find a row."""
    return next(one for one in comparison.rows if one.name == name)


def test_two_runs() -> None:
    """Each transport that both used, left and right, and right by left."""
    [rest] = compare_runs(
        run(took=2.0, transports=("rest", "mqtt")), run(took=3.0, failed=1), names=("a", "b")
    )
    p99 = row(rest, "latency p99")

    assert (rest.left, rest.right) == ("a rest", "b rest")
    assert (p99.left, p99.right, p99.ratio, p99.unit) == (2.0, 3.0, 1.5, "s")
    assert row(rest, "failed").right == 0.5
    assert row(rest, "failed").ratio is None


def test_nothing_in_common() -> None:
    """One run by REST and one by MQTT are compared as they are; an empty run with nothing."""
    rest, mqtt = run(took=2.0), run(took=1.0, transports=("mqtt",))

    assert [one.right for one in compare_runs(rest, mqtt, names=("a", "b"))] == ["b mqtt"]
    assert compare_runs(rest, summarize([], FACTS), names=("a", "b")) == []


def test_two_transports() -> None:
    """Within a run, rest is on the left and mqtt on the right; one transport is not compared."""
    both = compare_transports(run(took=2.0, transports=("mqtt", "rest")))

    assert both is not None
    assert (both.left, both.right) == ("rest", "mqtt")
    assert row(both, "latency p50").ratio == pytest.approx(1.0)
    assert compare_transports(run(took=2.0)) is None


def test_nothing_assigned() -> None:
    """A side without a latency has none, and no ratio."""
    broken = summarize([sample(outcome=Outcome.FAILED)], FACTS)
    [rest] = compare_runs(run(took=2.0), broken, names=("a", "b"))

    assert (row(rest, "latency p50").right, row(rest, "latency p50").ratio) == (None, None)


def test_cautions() -> None:
    """Other machines, other arrivals, a generator that could not keep up: all are said."""
    one, other = run(took=1.0), run(took=1.0)
    assert cautions({"a": one, "b": other}) == []

    other["environment"] = {"python": "3.13.0"}
    other["arrivals"] = "burst"
    other["generator"] = {"limited": True, "why": ["event loop 0.30 s late"]}

    assert cautions({"a": one, "b": other}) == [
        "b was limited by its generator: event loop 0.30 s late",
        "arrivals differs: a open, 10/s, b burst",
        "python differs: a 3.11.7, b 3.13.0",
    ]


def test_names_of_runs() -> None:
    """Runs are called as their folders, or by the whole path where these are alike."""
    assert run_names(Path("runs/a"), Path("runs/b")) == ("a", "b")
    assert run_names(Path("mon/a"), Path("tue/a")) == ("mon/a", "tue/a")
