"""Lines and bars are the data of charts, each point with its text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample

from aiodps.fleet.export.timeline import slot_width, timeline
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.report.lines import (
    Series,
    curves,
    parts,
    percentile_lines,
    phase_bars,
    timeline_lines,
)
from aiodps.fleet.report.summary import summarize


def series_of(samples: Sequence[Sample]) -> Series:
    """Make the series of samples over REST."""
    return Series(
        label="rest",
        path="rest",
        colour="#000",
        facts=summarize(samples, FACTS)["transports"]["rest"],
        slots=timeline(samples, width=slot_width(max(one.finished for one in samples))),
        **curves(samples),
    )


@pytest.fixture
def series() -> Series:
    """Return a series of two devices, one of which failed."""
    return series_of([sample(), sample(intended=0.5, outcome=Outcome.FAILED)])


def test_parts_of_a_run_in_which_all_were_resumed() -> None:
    """It was killed before a device was assigned: latencies there are, and no parts of them."""
    resumed = series_of([sample(resumed=True)])

    assert percentile_lines([resumed])
    assert parts(resumed.facts) == {}


def test_a_percentile_curve(series: Series) -> None:
    """The only assigned device is the first and the last."""
    latency, service_time = percentile_lines([series])

    assert (latency.y, service_time.y) == ([1.0], [0.75])
    assert latency.text == ["rest 100 %: 1.00 s"]
    assert (latency.dash, service_time.dash) == ("solid", "dotted")


def test_lines_over_time(series: Series) -> None:
    """Arrivals are dotted, failures red, what is in flight filled."""
    lines = timeline_lines([series])
    arrivals, assigned, failed = lines["throughput"]

    assert (arrivals.dash, assigned.dash) == ("dotted", "solid")
    assert failed.colour != series.colour
    assert assigned.text[-1] == "rest 1 s: 2 assigned"
    assert [line.filled for line in lines["flight"]] == [True]


def test_bars(series: Series) -> None:
    """Each begins where the one before it ends, and all are as long as the latency."""
    bars = phase_bars([series])["phases"]

    assert [bar.left for bar in bars[1:]] == [bar.right for bar in bars[:-1]]
    assert bars[-1].right[0] == pytest.approx(sum(parts(series.facts).values())) == 1.0
    assert bars[0].data["text"] == ["started late: 250 ms"]
