"""Lines and bars are the data of charts, each point with its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample

from aiodps.fleet.charts.bins import Bin, bins_of
from aiodps.fleet.charts.lines import histogram_columns, percentile_lines, phase_bars
from aiodps.fleet.charts.series import Series, curves, parts
from aiodps.fleet.export.timeline import timeline
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.report.summary import summarize


def series_of(samples: Sequence[Sample]) -> Series:
    """Make the series of samples over REST."""
    return Series(
        label="rest",
        path="rest",
        colour="#000",
        facts=summarize(samples, FACTS)["transports"]["rest"],
        slots=timeline(samples, width=1.0),
        bins=bins_of([[one.latency for one in samples]])[0],
        **curves(samples),
    )


@pytest.fixture
def series() -> Series:
    """Return a series of two devices, one of which failed."""
    return series_of([sample(), sample(intended=0.5, outcome=Outcome.FAILED)])


def test_a_percentile_curve(series: Series) -> None:
    """The only assigned device is the first and the last."""
    latency, service_time = percentile_lines([series])

    assert (latency.y, service_time.y) == ([1.0], [0.75])
    assert latency.text == ["rest 100 %: 1.00 s"]
    assert (latency.dash, service_time.dash) == ("solid", "dotted")


def test_columns_are_shares(series: Series) -> None:
    """Of the assigned devices, so that runs of different sizes can be compared."""
    wider = replace(series, bins=[Bin(2.0, 2.1, 3), Bin(2.1, 2.2, 1)])
    [columns] = histogram_columns([wider])

    assert (columns.left, columns.right, columns.top) == ([2.0, 2.1], [2.1, 2.2], [75.0, 25.0])
    assert columns.data["text"] == [
        "rest 2.00 s to 2.10 s: 3 devices, 75.0 %",
        "rest 2.10 s to 2.20 s: 1 device, 25.0 %",
    ]


def test_bars(series: Series) -> None:
    """Each begins where the one before it ends, and all are as long as the latency."""
    bars = phase_bars([series])["phases"]

    assert [bar.left for bar in bars[1:]] == [bar.right for bar in bars[:-1]]
    assert bars[-1].right[0] == pytest.approx(sum(parts(series.facts).values())) == 1.0
    assert bars[0].data["text"] == ["started late: 250 ms"]
