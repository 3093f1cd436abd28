"""The generator watches itself."""

from __future__ import annotations

import resource
from dataclasses import asdict

import anyio
import pytest
from tests.fleet.virtual_runs import Process
from tests.virtual_time import elapse, jump, on_virtual_trio

from aiodps.errors import ResourceError
from aiodps.fleet.measure.generator_load import (
    GeneratorLoad,
    SelfMonitor,
    open_fd_count,
    raise_fd_limit,
    worst,
)

pytestmark = pytest.mark.anyio


@on_virtual_trio
async def test_a_blocked_loop_is_seen() -> None:
    """Something that holds the loop for 0.3 seconds, 0.05 before it looks, is 0.25 of lag."""
    monitor = SelfMonitor()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(monitor.run)
        await elapse(0.05)
        jump(0.3)
        await elapse(0.01)
        tasks.cancel_scope.cancel()

    load = monitor.generator_load()
    assert load.loop_lag_max == pytest.approx(0.3, abs=0.03)
    assert load.loop_lag_p99 > 0.25


@on_virtual_trio
async def test_it_knows_what_it_uses() -> None:
    """Descriptors, their limit and memory are those of this process."""
    monitor = SelfMonitor()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(monitor.run)
        await elapse(0.15)
        tasks.cancel_scope.cancel()

    load = monitor.generator_load()
    assert 0 < load.fds_max <= open_fd_count() + 2
    assert load.fds_limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert load.memory_max > 10 * 1024 * 1024
    assert load.cpu_share_max < 1


@on_virtual_trio
async def test_a_second_counts_as_often_as_devices_started_in_it() -> None:
    """All start in the first second, which is busy; nine idle ones do not make it look better."""
    process = Process()
    monitor = SelfMonitor(read_usage=process.usage)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(monitor.run)
        await elapse(0.01)
        monitor.record_start(0.0)
        for _ in range(10):
            process.work(0.1)
            await elapse(1e-6)

        await elapse(9.0)
        process.wait_for_a_core(30)
        await elapse(1.0)
        tasks.cancel_scope.cancel()

    load = monitor.generator_load()
    assert load.loop_lag_mean == pytest.approx(0.05, rel=0.1)
    assert load.cpu_share == pytest.approx(1.0 / 41, rel=0.01)
    assert load.cpu_share_max == pytest.approx(0.99, rel=0.01)
    assert load.busy_seconds == pytest.approx(1.01, rel=0.02)
    assert load.busy_devices == 1.0
    assert load.starved_seconds == pytest.approx(30.5, abs=0.6)
    assert load.starved_devices == 0.0
    assert load.run_delay == 30
    assert (load.throttled_share, load.throttled_mean) == (0.0, 0.0)
    assert monitor.generator_load().busy_seconds == load.busy_seconds


@on_virtual_trio
async def test_nothing_is_measured_before_the_start() -> None:
    """A shard that waits for the others may be late as it likes."""
    monitor = SelfMonitor(begin=anyio.current_time() + 10)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(monitor.run)
        await elapse(5)
        jump(3)
        await elapse(4)
        tasks.cancel_scope.cancel()

    assert monitor.generator_load().loop_lag_max < 0.1


def test_late_starts() -> None:
    """What began late although nothing held it back."""
    monitor = SelfMonitor()
    for lag in [-0.1] * 50 + [0.1] * 45 + [0.4] * 5:
        monitor.record_start(lag)

    load = monitor.generator_load()
    assert (load.start_lag_p50, load.start_lag_p99, load.start_lag_max) == (0.0, 0.4, 0.4)


def test_what_is_not_whole_is_not_known() -> None:
    """A load is read as it was written; without one of its figures it is none."""
    load = GeneratorLoad(loop_lag_p99=0.5, run_delay=None)

    assert GeneratorLoad.from_json(asdict(load)) == load
    assert GeneratorLoad.from_json({"cpu_share": 0.5}) is None
    assert GeneratorLoad.from_json({**asdict(load), "cpu_share": None}) is None
    assert GeneratorLoad.from_json(None) is None


def test_the_worst_shard_counts() -> None:
    """One that was late is not hidden by others that were not."""
    both = worst(
        [GeneratorLoad(loop_lag_p99=0.5, fds_max=3), GeneratorLoad(cpu_share=0.7, fds_max=9)]
    )

    assert both == GeneratorLoad(loop_lag_p99=0.5, cpu_share=0.7, fds_max=9)
    assert worst([]) == GeneratorLoad()
    assert worst([GeneratorLoad(run_delay=1.0), GeneratorLoad()]).run_delay == 1.0


def test_fd_limit_is_raised() -> None:
    """The soft limit is raised at once, also for a rate, whose devices in flight nobody knows.

    Beyond the hard one it is said.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        raise_fd_limit(0)
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert hard in {raised, resource.RLIM_INFINITY}
        assert raised > 1000
        if hard != resource.RLIM_INFINITY:
            with pytest.raises(ResourceError, match="descriptors"):
                raise_fd_limit(hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
