"""How many devices are measured, and what each is said to have cost."""

from __future__ import annotations

import pytest

one_client = pytest.importorskip("benchmarks.one_client", reason="not in a source distribution")
spent = pytest.importorskip("benchmarks.spent")


@pytest.mark.parametrize(
    ("rate", "at_once", "count"),
    [
        (300.0, 50, 1800),
        (20.0, 50, 120),  # two waves of 2.5 s, and a bit
        (1.0, 50, 100),
    ],
)
def test_as_many_as_take_the_seconds(rate: float, at_once: int, count: int) -> None:
    """A fifth more, and never less than two waves."""
    assert one_client.count_for(5, rate=rate, at_once=at_once) == count


def test_each_device() -> None:
    """Its share of both processors; and how busy they were."""
    before, after = spent.Spent(1.0, 10.0, 100.0), spent.Spent(3.0, 11.0, 104.0)

    assert after.since(before, devices=1000) == {
        "devices": 1000,
        "cpu_ms": 2.0,
        "server_ms": 1.0,
        "wall_s": 4.0,
        "per_s": 250.0,
        "busy": 50.0,
        "server_busy": 25.0,
    }
