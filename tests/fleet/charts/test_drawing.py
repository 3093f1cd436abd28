"""Charts hold what the samples say."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fleet.charts.test_lines import series_of
from tests.fleet.samples import sample

from aiodps.fleet.charts.drawing import (
    draw,
    histogram_chart,
    latency_ticks,
    percentile_chart,
    phase_charts,
    timeline_charts,
)
from aiodps.fleet.charts.lines import Columns
from aiodps.fleet.charts.series import Series, parts
from aiodps.fleet.measure.sample import Outcome

pytestmark = pytest.mark.slow


@pytest.fixture
def series() -> Series:
    """Return a series of a hundred devices, the first of which failed."""
    samples = [
        sample(
            intended=n / 1000,
            started=n / 1000 + 0.25,
            finished=1 + n / 100 + n / 1000,
            outcome=Outcome.ASSIGNED if n else Outcome.FAILED,
        )
        for n in range(101)
    ]
    return series_of(samples)


def data(chart: Any) -> list[dict[str, list[Any]]]:
    """Return the columns of everything that is drawn."""
    return [dict(one.data_source.data) for one in chart.renderers]


def test_the_percentile_curve_ends_with_the_slowest(series: Series) -> None:
    """On the axis of 1/(1 - percentile): the median at 2, the greatest where one is left."""
    latency, service_time = data(percentile_chart([series]))

    assert latency["y"][latency["x"].index(2.0)] == pytest.approx(1.5)
    assert (latency["x"][-1], latency["y"][-1]) == (100.0, pytest.approx(2.0))
    assert service_time["y"][-1] == pytest.approx(1.75)
    assert latency["text"][-1] == "rest 100 %: 2.00 s"


def test_the_timeline_shows_every_device(series: Series) -> None:
    """Arrivals and ends are all there; failures have a line of their own."""
    charts = timeline_charts([series])
    arrivals, assigned, failed = (one["y"][::2] for one in data(charts["throughput"]))

    assert sum(arrivals) == pytest.approx(101)
    assert sum(assigned) == pytest.approx(100)
    assert sum(failed) == pytest.approx(1)
    assert max(data(charts["flight"])[0]["y"]) == 101
    assert [len(one) for one in map(data, charts.values())] == [3, 2, 2]


def test_a_burst_has_no_line_of_arrivals() -> None:
    """All at one moment, they would dwarf everything else."""
    samples = [sample(), sample()]

    assert len(data(timeline_charts([series_of(samples)])["throughput"])) == 1


def test_bars_are_as_long_as_the_latency(series: Series) -> None:
    """The parts of the mean latency are stacked without a gap and end at the mean."""
    bars = data(phase_charts([series])["phases"])

    assert bars[0]["left"] == [0.0]
    assert [one["right"] for one in bars[:-1]] == [one["left"] for one in bars[1:]]
    assert bars[-1]["right"][0] == pytest.approx(series.facts["latency"]["mean"])
    work = data(phase_charts([series])["work"])
    assert work[-1]["right"][0] == pytest.approx(series.facts["latency"]["mean"] - 0.3)
    assert sum(parts(series.facts).values()) == pytest.approx(series.facts["latency"]["mean"])


def test_nothing_was_assigned() -> None:
    """Charts of nothing are empty, not errors."""
    series = [series_of([sample(outcome=Outcome.FAILED)])]

    assert parts(series[0].facts) == {}
    assert [one["x"] for one in data(percentile_chart(series))] == [[], []]
    assert [data(one) for one in phase_charts(series).values()] == [[]]


def test_all_charts(series: Series) -> None:
    """By name, as the page places them."""
    names = ["histogram", "percentiles", "throughput", "flight", "latency", "phases", "work"]

    assert list(draw([series], far=False)) == names


def test_a_histogram(series: Series) -> None:
    """All assigned devices are in it; if some took far longer, each step is a multiple."""
    plain, far = (histogram_chart([series], far=far) for far in (False, True))

    assert sum(data(plain)[0]["top"]) == pytest.approx(100)
    assert plain.xaxis[0].major_label_overrides == {}
    assert {*far.xaxis[0].major_label_overrides.values()} >= {"1", "2", "4"}
    assert histogram_chart([], far=True).renderers == []


@pytest.mark.parametrize(
    ("left", "right", "ticks"),
    [(0.3, 70.0, [0.5, 1, 2, 5, 10, 20, 50, 100]), (2.1, 2.2, [2, 2.5, 3, 3.5, 4])],
)
def test_ticks_of_latencies(left: float, right: float, ticks: list[float]) -> None:
    """Numbers that can be said, whatever the range."""
    columns = Columns(colour="#000", left=[left], right=[right], top=[1.0], text=[""])

    assert [pytest.approx(at) for at in latency_ticks([columns])] == ticks
