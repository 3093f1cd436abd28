"""The generator watches itself."""

from __future__ import annotations

import resource
from types import SimpleNamespace

import anyio
import pytest
from tests.virtual_time import elapse, jump, on_virtual_trio

from aiodps.errors import ResourceError
from aiodps.fleet.measure import generator_load as module
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

    generator_load = monitor.generator_load()
    assert generator_load.loop_lag_max == pytest.approx(0.25)
    assert "event loop 0.25 s late" in generator_load.reasons()


@on_virtual_trio
async def test_it_knows_what_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors, their limit, memory and processor time are those of this process."""
    clocks = {
        "process_time": iter([7.0, 9.5]).__next__,
        "monotonic": iter([100.0, 105.0]).__next__,
    }
    monkeypatch.setattr(module, "time", SimpleNamespace(**clocks))
    monitor = SelfMonitor()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(monitor.run)
        await elapse(0.15)
        tasks.cancel_scope.cancel()

    generator_load = monitor.generator_load()
    assert 0 < generator_load.fds_max <= open_fd_count() + 2
    assert generator_load.fds_limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert generator_load.memory_max > 10 * 1024 * 1024
    assert generator_load.cpu_share == 0.5


def test_late_starts_make_a_run_limited() -> None:
    """What began late although nothing held it back is the generator's fault."""
    monitor = SelfMonitor()
    for lag in [0.0] * 95 + [0.4] * 5:
        monitor.record_start(lag)

    assert monitor.generator_load().start_lag_p99 == 0.4
    assert "devices started 0.40 s late" in monitor.generator_load().reasons()


@pytest.mark.parametrize(
    ("generator_load", "limited"),
    [
        (GeneratorLoad(), False),
        (GeneratorLoad(cpu_share=0.89, loop_lag_p99=0.1, start_lag_p99=0.25), False),
        (GeneratorLoad(cpu_share=0.95), True),
        (GeneratorLoad(fds_max=95, fds_limit=100), True),
        (GeneratorLoad(fds_max=80, fds_limit=100), False),
    ],
)
def test_what_makes_a_run_limited(generator_load: GeneratorLoad, limited: bool) -> None:
    """Beyond its thresholds, each figure does; below, none."""
    assert bool(generator_load.reasons()) is limited


def test_the_worst_shard_counts() -> None:
    """One that was late is not hidden by others that were not."""
    both = worst(
        [GeneratorLoad(loop_lag_p99=0.5, fds_max=3), GeneratorLoad(cpu_share=0.7, fds_max=9)]
    )

    assert both == GeneratorLoad(loop_lag_p99=0.5, cpu_share=0.7, fds_max=9)
    assert worst([]) == GeneratorLoad()


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
