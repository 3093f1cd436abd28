"""A run that was killed and resumed, against a service whose every delay is known.

What a kill leaves is a copy of the folder, taken while the session runs.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import anyio
import pytest
from tests.fleet.known_runs import Measured, shard_specs, use_virtual_clocks
from tests.fleet.plan.test_run_file import run_of
from tests.scripted.known_service import Answer, KnownService
from tests.virtual_time import elapse, on_virtual_asyncio

from aiodps.fleet.journal.writer import INTERVAL
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.plan.arrivals import Arrivals, Closed, Open, schedule
from aiodps.fleet.plan.spec import JournalMode, ShardSpec
from aiodps.fleet.report.results import Results, read_results
from aiodps.fleet.run.session import START_DELAY, Session

pytestmark = [pytest.mark.anyio, pytest.mark.sockets, on_virtual_asyncio]
COUNT, RATE, TOOK, KILL, PAUSE = 80, 20.0, 0.3, 2.02, 15.0
OPEN = Open(rate=RATE, spacing="poisson")


@dataclasses.dataclass(frozen=True, slots=True)
class Broken:
    """A run that was killed, and what it became."""

    killed: Results
    """As the kill left it."""
    resumed: Results
    service: KnownService


async def broken(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    arrivals: Arrivals,
    *,
    journal: JournalMode = "durable",
) -> Broken:
    """Run devices, kill the run, pause, and resume it."""
    use_virtual_clocks(monkeypatch)
    service = KnownService(lambda *_: Answer(register=0.2, poll=0.1))
    running, copy = folder / "running", folder / "killed"
    running.mkdir()
    (spec,) = shard_specs(running, count=COUNT, arrivals=arrivals, seed=7, journal=journal)
    run_of(spec.source).write(running)
    async with service.running(monkeypatch):
        await _run_until_killed(spec, copy)
        killed = read_results(copy)
        await elapse(PAUSE - START_DELAY)
        with Session(dataclasses.replace(spec, folder=copy)) as session:
            await session.run()

    return Broken(killed, read_results(copy), service)


async def _run_until_killed(spec: ShardSpec, copy: Path) -> None:
    with Session(spec) as session:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.run)
            await elapse(START_DELAY + KILL)
            shutil.copytree(spec.folder, copy)
            tasks.cancel_scope.cancel()


async def test_a_schedule_goes_on_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the kill the schedule, after it the same one, all of it later by one number."""
    run = await broken(tmp_path, monkeypatch, OPEN)
    samples = Measured.of(run.resumed.entries).samples
    times = schedule(OPEN, COUNT, seed=7)
    assert times is not None
    first, second = run.resumed.sessions
    due = [number for number, time in enumerate(times) if time < first.reached]

    assert KILL - INTERVAL <= first.reached <= KILL
    assert [samples[n].intended for n in due] == pytest.approx([times[n] for n in due])
    late = range(len(due), COUNT)
    shift = second.shift
    assert [samples[n].intended for n in late] == pytest.approx([times[n] + shift for n in late])
    left = sum(sample.resumed for sample in samples)
    gap = times[-1] / (COUNT - 1)
    assert shift == pytest.approx(second.began - first.reached + left * gap)
    assert second.began == pytest.approx(KILL + PAUSE)


async def test_whoever_was_left_behind_has_waited_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latency counts from the first intended start, the pause included; the others are as ever."""
    run = await broken(tmp_path, monkeypatch, OPEN)
    samples = Measured.of(run.resumed.entries).samples
    behind = [sample for sample in samples if sample.resumed]
    others = [sample.latency for sample in samples if not sample.resumed]

    assert behind
    assert min(sample.latency for sample in behind) > PAUSE
    assert min(sample.service_time for sample in behind) > PAUSE
    assert others == pytest.approx([TOOK] * len(others))
    assert len(run.service.times("register")) == COUNT + sum(
        sample.register_requests - 1 for sample in samples
    )


@pytest.mark.parametrize("arrivals", [OPEN, Closed(concurrency=5)], ids=["open", "closed"])
async def test_whoever_was_in_flight_at_the_kill_is_told(
    arrivals: Arrivals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the service saw it: connected, and not assigned. After the resume they are marked."""
    run = await broken(tmp_path, monkeypatch, arrivals)
    told = {
        sample.registration_id: sample
        for sample in run.killed.samples
        if sample.outcome is Outcome.INTERRUPTED
    }
    begun = sum(at <= KILL for at in run.service.times("connect"))
    ended = run.killed.counts_by_state["assigned"]

    assert len(told) == begun - ended > 0
    marked = {one.registration_id: one for one in run.resumed.samples if one.resumed}
    assert told.keys() <= marked.keys()
    for name, sample in told.items():
        assert marked[name].intended == sample.intended
        assert marked[name].latency > PAUSE


async def test_in_memory_a_kill_loses_half_a_second_and_no_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not written is done once more; who was assigned before that is not."""
    run = await broken(tmp_path, monkeypatch, OPEN, journal="memory")
    samples = Measured.of(run.resumed.entries).samples

    assert [sample.outcome for sample in samples] == [Outcome.ASSIGNED] * COUNT
    again = len(run.service.times("register")) - COUNT
    assert again <= RATE * (INTERVAL + TOOK) * 2
    assert all("journal" not in sample.phases for sample in samples)
    last = run.killed.sessions[0].finished
    done = {one.registration_id for one in run.killed.samples if one.finished < last - INTERVAL}
    assert not done & {one.registration_id for one in samples if one.resumed}
