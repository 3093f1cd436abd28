"""Figures have three digits and a unit, and never an exponent."""

from __future__ import annotations

import pytest

from aiodps.fleet.inference.estimate import Interval
from aiodps.fleet.measure import units


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0 ms"),
        (0.00042, "0.42 ms"),
        (0.0123, "12.3 ms"),
        (0.345, "345 ms"),
        (0.9996, "1.00 s"),
        (1.234, "1.23 s"),
        (45.67, "45.7 s"),
        (119.9, "120 s"),
        (125.4, "2 min 05 s"),
        (3600.0, "60 min 00 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    """The unit is the one in which the number is handy."""
    assert units.duration(seconds) == text


def test_statistics() -> None:
    """A percentile is a duration, the maximum of too few, or never reached."""
    facts = {"count": 1300, "p50": 0.5, "p99": None, "p99.9": 1.0, "unsupported": ["p99.9"]}

    assert units.statistic(facts, "p50") == "500 ms"
    assert units.statistic(facts, "p99") == "never"
    assert units.statistic(facts, "p99.9") == "max of 1,300"
    assert units.statistic(None, "p50") == "-"


def test_the_others() -> None:
    """Rates, counts, shares, ratios and memory."""
    assert units.rate(41.666) == "41.7/s"
    assert units.rate(1234.5) == "1,234/s"
    assert [units.count(12345), units.count(1.0), units.count(1.234)] == [
        "12,345",
        "1",
        "1.23",
    ]
    assert [units.share(0.0005), units.share(0.123), units.share(1.0)] == [
        "0.05 %",
        "12.3 %",
        "100 %",
    ]
    assert units.ratio(1.234) == "x 1.23"
    assert [units.interval(Interval(0.984, 1.234)), units.interval(None)] == ["0.98-1.23", "-"]
    assert units.memory(3 * 2**20) == "3 MiB"


@pytest.mark.parametrize("write", [units.rate, units.count, units.share, units.ratio])
def test_none(write: object) -> None:
    """Where there is no figure stands a dash."""
    assert callable(write)
    assert write(None) == units.NO_VALUE
