"""How a shard stands."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.fleet.samples import sample

from aiodps.fleet.measure.progress import Progress, ProgressCounter, total_progress
from aiodps.fleet.measure.sample import Outcome


def measured() -> ProgressCounter:
    """Count ten registrations: two of an earlier session, four that ended, one that runs."""
    progress = ProgressCounter(total=10, assigned=1, failed=1)
    for _ in range(5):
        progress.begin("rest")

    progress.end(sample(register_requests=1))
    progress.end(
        sample(
            register_requests=2,
            outcome=Outcome.FAILED,
            error_class="ThrottledError",
            error_code=429001,
        )
    )
    progress.end(sample(register_requests=1, outcome=Outcome.INTERRUPTED))
    for _ in range(4):
        progress.leave("rest")

    return progress


def test_everything_is_counted_once() -> None:
    """Ended ones by how they ended, with those of earlier sessions; the rest is left."""
    progress = measured().progress()

    assert replace(progress, transports={}) == Progress(
        total=10,
        assigned=2,
        failed=2,
        in_flight=1,
        errors={"ThrottledError 429001": 1},
        recent=(1.0,),
    )
    assert progress.transports["rest"].outcomes == {"assigned": 1, "failed": 1, "interrupted": 1}
    assert progress.left == 6


def test_shards_add_up() -> None:
    """Sums, errors by name, latencies side by side."""
    both = total_progress([measured().progress()] * 2)

    assert (both.total, both.left) == (20, 12)
    assert both.errors == {"ThrottledError 429001": 2}
    assert both.recent == (1.0, 1.0)
    assert both.transports["rest"].started == 10


def test_the_latest_shard_is_late() -> None:
    """The event loop of a run is as late as that of its worst shard."""
    assert total_progress([Progress(loop_lag=0.1), Progress(loop_lag=0.3)]).loop_lag == 0.3
    assert total_progress([]).loop_lag == 0.0


def test_it_survives_json() -> None:
    """What a shard writes is what the run reads."""
    progress = measured().progress()

    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress
