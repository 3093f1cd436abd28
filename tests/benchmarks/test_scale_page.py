"""The page of runs through one machine says what limited them."""

from __future__ import annotations

from typing import Any, Final

import pytest

scale_page = pytest.importorskip("benchmarks.scale_page", reason="not in a source distribution")
RUN: Final[dict[str, Any]] = {
    "devices": 1000,
    "transport": "rest",
    "assigned": 1000,
    "devices_per_second": 150.0,
    "run_seconds": 6.6,
    "keys_seconds": 1.0,
    "cpu_ms_all": 12.5,
    "cpu_ms_shards": 7.5,
    "cpu_ms_emulator": 5.0,
    "memory_mb_all": 300.0,
    "p50_seconds": 2.0,
    "p99_seconds": 3.0,
    "loop_lag_p99_ms": 80.0,
    "stopped": None,
    "limited_by": [],
    "cores": 2,
    "cores_leader": 0.05,
    "cores_shards": 1.2,
    "cores_emulator": 0.65,
}


def test_the_processors() -> None:
    """All of them together first; with more of them, the one of the emulator."""
    text = scale_page.page([RUN])

    assert "| 1,000 | rest | 1,000 | 150 | 6.60 |" in text
    assert "rest: the processor: 95 % of the time of its 2 cores was used, 1.20 cores by" in text
    assert "is enough for 200 devices per second." in text
    assert "reports" not in text


def test_something_else() -> None:
    """A run that left the processors idle, and one that stopped itself."""
    idle = {**RUN, "cores": 4}
    stopped = {**RUN, "transport": "mqtt", "stopped": "over 6 GB", "devices_per_second": None}
    text = scale_page.page([idle, stopped])

    assert "1,000 over rest: not the processor: 48 % of the time of its 4 cores was used" in text
    assert "1,000 over mqtt: it was stopped, because it took over 6 GB." in text
    assert "| 1,000 | mqtt | 1,000 | - |" in text


def test_the_largest_run_of_each_transport() -> None:
    """What limited the others is in the JSON."""
    many = {**RUN, "devices": 2000, "limited_by": ["the event loop was late"]}
    text = scale_page.page([{**RUN, "limited_by": ["it was late, too"]}, many])

    assert "- 2,000 over rest: the event loop was late" in text
    assert "too" not in text
