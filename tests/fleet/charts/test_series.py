"""The parts of a latency, and its curves."""

from __future__ import annotations

from tests.fleet.charts.test_lines import series_of
from tests.fleet.samples import sample

from aiodps.fleet.charts.lines import percentile_lines
from aiodps.fleet.charts.series import curves, parts
from aiodps.fleet.measure.sample import Outcome


def test_parts_of_a_run_in_which_all_were_resumed() -> None:
    """It was killed before a device was assigned: latencies there are, and no parts of them."""
    resumed = series_of([sample(resumed=True)])

    assert percentile_lines([resumed])
    assert parts(resumed.facts) == {}


def test_curves_are_of_assigned_devices() -> None:
    """A failed one has no latency."""
    found = curves([sample(), sample(outcome=Outcome.FAILED, finished=9.0)])

    assert [point.value for point in found["latencies"]] == [1.0]
