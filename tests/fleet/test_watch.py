"""The generator watches itself."""

from __future__ import annotations

import resource
import time

import anyio
import pytest

from aiodps.errors import ResourceError
from aiodps.fleet.watch import Strain, Watch, make_room, open_descriptors, worst

pytestmark = pytest.mark.anyio


async def test_a_blocked_loop_is_seen() -> None:
    """Something that holds the loop for a quarter of a second shows as lag of about that much."""
    watch = Watch()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch.run)
        await anyio.sleep(0.05)
        time.sleep(0.3)  # noqa: ASYNC251 (that is the point)
        await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()

    strain = watch.strain()
    assert 0.15 < strain.loop_lag_max < 3
    assert strain.reasons() == [f"event loop {strain.loop_lag_p99:.2f} s late"]


async def test_it_knows_what_it_uses() -> None:
    """Descriptors, their limit, memory and processor time are those of this process."""
    watch = Watch()
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch.run)
        await anyio.sleep(0.15)
        tasks.cancel_scope.cancel()

    strain = watch.strain()
    assert 0 < strain.fds_max <= open_descriptors() + 2
    assert strain.fds_limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert strain.memory_max > 10 * 1024 * 1024
    assert 0 < strain.cpu_share <= 1.2


def test_late_starts_make_a_run_limited() -> None:
    """What began late although nothing held it back is the generator's fault."""
    watch = Watch()
    for lag in [0.0] * 95 + [0.4] * 5:
        watch.note_start(lag)

    assert watch.strain().start_lag_p99 == 0.4
    assert "devices 0.40 s late" in watch.strain().reasons()


@pytest.mark.parametrize(
    ("strain", "limited"),
    [
        (Strain(), False),
        (Strain(cpu_share=0.89, loop_lag_p99=0.1, start_lag_p99=0.25), False),
        (Strain(cpu_share=0.95), True),
        (Strain(fds_max=95, fds_limit=100), True),
        (Strain(fds_max=80, fds_limit=100), False),
    ],
)
def test_what_makes_a_run_limited(strain: Strain, limited: bool) -> None:
    """Beyond its thresholds, each figure does; below, none."""
    assert bool(strain.reasons()) is limited


def test_the_worst_shard_counts() -> None:
    """One that was late is not hidden by others that were not."""
    both = worst([Strain(loop_lag_p99=0.5, fds_max=3), Strain(cpu_share=0.7, fds_max=9)])

    assert both == Strain(loop_lag_p99=0.5, cpu_share=0.7, fds_max=9)
    assert worst([]) == Strain()


def test_room_for_descriptors() -> None:
    """The soft limit is raised as far as needed; beyond the hard one it is said."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        make_room(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 256
        make_room(1000)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 1000
        if hard != resource.RLIM_INFINITY:
            with pytest.raises(ResourceError, match="descriptors"):
                make_room(hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
