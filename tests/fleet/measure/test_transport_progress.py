"""Counts of a transport while a run goes on."""

from __future__ import annotations

import json

import pytest
from tests.fleet.samples import sample

from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.measure.transport_progress import (
    TransportCounter,
    TransportProgress,
    total_of_transport,
)


def counted() -> TransportProgress:
    """Count three registrations, of which one is in flight."""
    counter = TransportCounter()
    for _ in range(3):
        counter.begin()

    counter.end(sample(polls=2, backoff=0.05))
    counter.end(sample(outcome=Outcome.FAILED, throttled=3))
    counter.in_flight -= 2
    return counter.progress()


def test_counts() -> None:
    """Outcomes and requests of all that ended; latencies of assigned devices."""
    progress = counted()

    assert (progress.started, progress.in_flight) == (3, 1)
    assert progress.outcomes == {"assigned": 1, "failed": 1}
    assert progress.requests == {"register_requests": 2, "polls": 3, "throttled": 3, "retries": 0}
    assert (progress.latencies.count, progress.latencies.total) == (1, 1.0)


def test_parts_add_up_to_the_latency() -> None:
    """Phases, a late start, backoff, and what is left."""
    seconds = counted().seconds

    assert seconds["start_lag"] == 0.25
    assert sum(seconds.values()) == pytest.approx(1.0)


def test_shards_add_up() -> None:
    """Every field."""
    both = total_of_transport([counted(), counted()])

    assert (both.started, both.in_flight, both.latencies.count) == (6, 2, 2)
    assert both.outcomes == {"assigned": 2, "failed": 2}
    assert both.seconds["tls"] == pytest.approx(0.4)


def test_it_survives_json() -> None:
    """What a shard writes is what the run reads."""
    progress = counted()

    assert TransportProgress.from_json(json.loads(json.dumps(progress.to_json()))) == progress
