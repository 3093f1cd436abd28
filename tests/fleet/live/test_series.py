"""The live charts are those of the report, from counts and histograms."""

from __future__ import annotations

import pytest
from tests.fleet.live.runs import going_on

from aiodps.fleet.charts.lines import percentile_lines
from aiodps.fleet.charts.over_time import timeline_lines
from aiodps.fleet.charts.series import parts
from aiodps.fleet.live.recorder import Recorder
from aiodps.fleet.live.series import live_curve, live_facts, live_series
from aiodps.fleet.measure.histogram import Histogram
from aiodps.fleet.measure.percentiles import curve
from aiodps.fleet.measure.transport_progress import TransportProgress


def test_series() -> None:
    """One for each transport, with facts as a summary has them."""
    rest, mqtt = live_series(going_on(), burst=False)

    assert (rest.label, mqtt.label) == ("rest", "mqtt")
    assert rest.colour != mqtt.colour
    assert (rest.facts["started"], rest.facts["assigned"], rest.facts["failed"]) == (8, 4, 1)
    assert rest.facts["offered_rate"] == 2.0
    assert sum(parts(rest.facts).values()) == pytest.approx(rest.facts["latency"]["mean"])


def test_a_burst_has_no_line_of_arrivals() -> None:
    """As in the report."""
    rate, burst = (
        timeline_lines(live_series(going_on(), burst=each))["throughput"] for each in (False, True)
    )

    assert len(rate) - len(burst) == 2


def test_a_curve() -> None:
    """In the steps of the report's, from the fastest to the slowest, which may be alone."""
    histogram = Histogram(buckets={0: 90, 8: 9, 16: 1})
    of_values = curve([1.0] * 90 + [2**0.5] * 9 + [2.0])
    points = list(live_curve(histogram))

    assert points == list(of_values)
    assert len({point.one_in for point in points}) == len(points)
    assert [line.x[-1:] for line in percentile_lines(live_series(going_on(), burst=False))] == [
        [4.0], [], [4.0], [],
    ]  # fmt: skip


def test_nothing_was_assigned() -> None:
    """Then there are no latencies and no parts."""
    facts = live_facts(TransportProgress(started=1), 0.0, burst=False)

    assert (facts["latency"], parts(facts), facts["achieved_rate"]) == (None, {}, None)
    assert live_series(Recorder(), burst=False) == []
