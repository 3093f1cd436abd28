"""What the fleet says about a service with known delays, over real sockets and in real time.

`tests/fleet/test_truths.py` has the arithmetic, in virtual time. Here a figure is right within 5 %
or 20 ms, whichever is more; a run that its generator has limited is a failure.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.fleet.known_runs import shard_specs
from tests.fleet.plan.test_run_file import run_of
from tests.scale.known_service import Address, known_service

from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open
from aiodps.fleet.report.results import read_results, write_results
from aiodps.fleet.run.session import Session

pytestmark = pytest.mark.scale
both = pytest.mark.parametrize("transport", ["rest", "mqtt"])
ALL_ARRIVALS = [
    pytest.param(Open(rate=20), 60, 1.0, id="open"),
    pytest.param(Open(rate=20, spacing="poisson"), 60, 1.0, id="poisson"),
    pytest.param(Open(rate=20, ramp=1), 60, 1.0, id="ramp"),
    pytest.param(Closed(concurrency=5), 20, 1.0, id="closed"),
    pytest.param(Burst(concurrency=5), 20, 2.0, id="burst"),
]


def run(
    service: Address, folder: Path, transport: str, *, count: int, arrivals: Arrivals
) -> dict[str, Any]:
    """Run a fleet in this process, against a service in another; return the transport's figures."""
    (spec,) = shard_specs(
        folder,
        count=count,
        ca=service.ca.encode(),
        ports=service.ports,
        arrivals=arrivals,
        transports=(transport,),
        journal="memory",
    )
    run_of(spec.source, arrivals=arrivals).write(folder)
    with Session(spec) as session:
        anyio.run(session.run)

    summary = write_results(folder, read_results(folder))
    # A machine that is too busy shows nothing, and that must not look like a pass.
    assert not summary["generator"]["limited"], summary["generator"]["why"]
    figures: dict[str, Any] = summary["transports"][transport]
    return figures


def affordable_rate(service: Address, folder: Path, transport: str) -> int:
    """Return a hundred devices a second, or what this machine does in two fifths of a core."""
    used = time.process_time()
    run(service, folder, transport, count=20, arrivals=Open(rate=20))
    return min(100, int(20 * 0.4 / (time.process_time() - used)))


def within(truth: float) -> object:
    """Return what an instrument may say for a truth."""
    return pytest.approx(truth, rel=0.05, abs=0.02)


@both
@pytest.mark.parametrize(("arrivals", "count", "median"), ALL_ARRIVALS)
def test_constant_delays(
    arrivals: Arrivals, count: int, median: float, transport: str, tmp_path: Path
) -> None:
    """0.7 s to be accepted and 0.3 s for the poll; in a burst in turns, the median waits for one."""
    with known_service({"register": 0.7, "poll": 0.3}) as service:
        figures = run(service, tmp_path, transport, count=count, arrivals=arrivals)

    phases = {name: phase["p50"] for name, phase in figures["phases"].items()}
    asked = phases.pop("register"), phases.pop("poll")
    assert asked == (within(0.7), within(0.3))
    assert figures["assigned"] == count
    assert figures["latency"]["p50"] == within(median * (1 + sum(phases.values())))


@both
def test_a_rate_against_slow_handshakes(transport: str, tmp_path: Path) -> None:
    """A second for each handshake: as many begin in a second as the rate says, each takes one."""
    with known_service({"register": 0.02}, "--handshake", "1") as service:
        first, then = tmp_path / "first", tmp_path / "then"
        first.mkdir()
        then.mkdir()
        rate = affordable_rate(service, first, transport)
        figures = run(service, then, transport, count=5 * rate, arrivals=Open(rate=rate))

    assert figures["assigned"] == 5 * rate
    assert figures["latency"]["p50"] == within(1.02)
    assert figures["phases"]["tls"]["p50"] == within(1.0)
