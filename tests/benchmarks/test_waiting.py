"""Devices that wait at once: none may fail, and each has its aims."""

from __future__ import annotations

from typing import Any

import pytest

waiting = pytest.importorskip("benchmarks.waiting", reason="not in a source distribution")


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, False),
        ({"kb_each": 46.0}, True),
        ({"kb_each": 46.0, "transport": "mqtt"}, False),
        ({"kb_each": 51.0, "transport": "mqtt"}, True),
        ({"loop_lag_max_ms": 251.0}, True),
    ],
)
def test_aims(changes: dict[str, Any], missed: bool) -> None:
    """Memory by transport, and the worst lag."""
    run = {"transport": "rest", "kb_each": 45.0, "loop_lag_max_ms": 250.0}

    assert waiting.missed(run | changes) is missed


def test_only_those_count_that_wait_at_once() -> None:
    """Memory is that of connections that were open, which may be fewer than there are devices."""
    held = waiting.Held(before=1_000_000, before_descriptors=10)
    held.see(memory=1_400_000, descriptors=18)
    held.see(memory=1_200_000, descriptors=20)
    end = {
        "outcomes": {"assigned": 12},
        "loop_lag_max": 0.2,
        "loop_lag_p99": 0.1,
        "cpu_share_max": 0.9,
        "run_delay": None,
        "seconds": 3.0,
    }
    found = waiting.figures(end, held, devices=12, transport="rest")

    assert (found["waiting_at_once"], found["kb_each"], found["assigned"]) == (10, 40.0, 12)
    assert (found["loop_lag_max_ms"], found["seconds"]) == (200.0, 3.0)
