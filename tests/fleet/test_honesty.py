"""A service that is sometimes late, and what arithmetic says about those who wait behind it."""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path

import pytest
from tests.emulated import emulator
from tests.fleet.fleets import spec

from aiodps.fleet.journal.journal import Journal
from aiodps.fleet.measure.sample import Sample
from aiodps.fleet.plan.arrivals import Arrivals, Closed, Open
from aiodps.fleet.run.session import Session, journal_path

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
    pytest.mark.parametrize("transport", ["rest", "mqtt"]),
]

LATE = 1.0
EACH = 10
COUNT = 30
NEAR = 0.3
"""Seconds that arithmetic may be wrong by: this machine does other things too."""
FAULTS = f"""
[[rule]]
registration_id = "fleet-??0"
operation = "register"
delay = {LATE}
"""


async def measured(folder: Path, transport: str, arrivals: Arrivals) -> list[Sample]:
    """Run 30 devices, of which every tenth is answered a second late."""
    async with emulator(faults=FAULTS) as dps:
        with Session(
            spec(dps, folder, COUNT, transports=(transport,), arrivals=arrivals)
        ) as session:
            await session.run()

    with Journal.open(journal_path(folder, 0)) as journal:
        return [entry.sample for entry in journal.entries() if entry.sample is not None]


def usual(samples: list[Sample]) -> float:
    """Return what a device takes that is not late."""
    return statistics.median(sample.service_time for sample in samples)


async def test_who_queues_behind_a_late_answer_has_waited(transport: str, tmp_path: Path) -> None:
    """Open arrivals, one place: latencies are those of a queue, not those of the place."""
    gap = 0.05
    samples = await measured(tmp_path, transport, Open(rate=1 / gap, concurrency=1))
    free, expected = 0.0, []
    for index, sample in enumerate(samples):
        free = max(free, index * gap) + sample.service_time
        expected.append(free - index * gap)

    latencies = [sample.latency for sample in samples]
    assert latencies == pytest.approx(expected, abs=NEAR)
    # What a harness would say that counts from the real start: three late ones, all others quick.
    assert sum(sample.service_time > LATE / 2 for sample in samples) == COUNT / EACH
    assert sum(latency > LATE / 2 for latency in latencies) > COUNT * 2 / 3


async def test_nobody_waits_where_there_is_room(transport: str, tmp_path: Path) -> None:
    """Open arrivals without a bound: only the late ones are late, and none shifts another."""
    gap = 0.05
    samples = await measured(tmp_path, transport, Open(rate=1 / gap))
    quick = usual(samples)
    expected = [quick + (LATE if index % EACH == 0 else 0.0) for index in range(COUNT)]

    assert [sample.latency for sample in samples] == pytest.approx(expected, abs=NEAR)
    assert [sample.intended for sample in samples] == pytest.approx(
        [index * gap for index in range(COUNT)]
    )


async def test_a_closed_run_is_as_long_as_its_late_answers(transport: str, tmp_path: Path) -> None:
    """One at a time: each is wanted when the one before has ended; late ones stretch the run."""
    samples = await measured(tmp_path, transport, Closed(concurrency=1))
    quick = usual(samples)
    late = COUNT // EACH

    expected = [quick + (LATE if index % EACH == 0 else 0.0) for index in range(COUNT)]
    assert [sample.latency for sample in samples] == pytest.approx(expected, abs=NEAR)
    for before, after in itertools.pairwise(samples):
        assert after.intended == pytest.approx(before.finished, abs=0.05)

    length = samples[-1].finished - samples[0].intended
    assert length == pytest.approx(COUNT * quick + late * LATE, rel=0.25)
