"""Runs in virtual time, in a process that can be stopped and that has work to do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import anyio
from tests.fleet.report.test_summary import FACTS
from tests.fleet.samples import sample, sessions_of
from tests.virtual_time import elapse, jump

from aiodps.fleet.measure.generator_load import SelfMonitor
from aiodps.fleet.measure.processor import Usage
from aiodps.fleet.measure.sample import Sample
from aiodps.fleet.report.summary import Summary, summarize

Work: TypeAlias = Coroutine[Any, Any, None]
PEER: Final = (0.013, 0.02, 0.02, 0.02, 0.02, 0.02)
"""Seconds that a device waits for the service, each time: 0.113 s in six events."""


class Process:
    """What would be one: time passes for it only while it runs."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self.delay = 0.0
        self.throttled = 0.0
        self.stops = 0

    def work(self, seconds: float) -> None:
        """Hold the event loop, and a core."""
        jump(seconds)
        self.cpu += seconds

    def wait_for_a_core(self, seconds: float) -> None:
        """Be ready to run while others do."""
        jump(seconds)
        self.delay += seconds

    def be_stopped(self, seconds: float, *, by_quota: bool = False) -> None:
        """Hold the event loop without working: stopped by a signal, or by a quota."""
        jump(seconds)
        if by_quota:
            self.throttled += seconds
            self.stops += 1

    def usage(self) -> Usage:
        """Say what the kernel would say."""
        return Usage(
            wall=anyio.current_time(),
            cpu=self.cpu,
            delay=self.delay,
            throttled=self.throttled,
            stops=self.stops,
        )


class Run:
    """Devices that start and depend on the event loop six times each."""

    def __init__(
        self, process: Process, *, peer: Sequence[float] = PEER, work: float = 0.0
    ) -> None:
        self.samples: list[Sample] = []
        self._process = process
        self._peer = peer
        self._work = work
        self._monitor = SelfMonitor(read_usage=process.usage)
        self._zero = anyio.current_time()

    async def device(self, intended: float) -> None:
        """Provision one device that should start so many seconds after the start of the run."""
        started = anyio.current_time() - self._zero
        self._monitor.record_start(started - intended)
        for seconds in self._peer:
            self._process.work(self._work)
            await elapse(seconds)

        finished = anyio.current_time() - self._zero
        self.samples.append(
            sample(intended=intended, started=started, finished=finished, phases={})
        )

    async def open(self, rate: float, count: int) -> None:
        """Start devices at a rate."""
        async with anyio.create_task_group() as devices:
            for index in range(count):
                await elapse(max(0.0, self._zero + index / rate - anyio.current_time()))
                devices.start_soon(self.device, index / rate)

    async def closed(self, concurrency: int, count: int) -> None:
        """Start a device whenever another has ended."""
        left = iter(range(count))

        async def one_after_the_other() -> None:
            for _ in left:
                await self.device(anyio.current_time() - self._zero)

        async with anyio.create_task_group() as slots:
            for _ in range(concurrency):
                slots.start_soon(one_after_the_other)

    async def burst(self, count: int) -> None:
        """Start all devices at once."""
        async with anyio.create_task_group() as devices:
            for _ in range(count):
                devices.start_soon(self.device, 0.0)

    async def measure(
        self,
        devices: Callable[[], Work],
        disturbance: Callable[[], Work] | None = None,
    ) -> Summary:
        """Return the summary of a run whose process is disturbed."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._monitor.run)
            if disturbance is not None:
                tasks.start_soon(disturbance)

            await devices()
            tasks.cancel_scope.cancel()

        sessions = sessions_of(self._monitor.generator_load())
        return summarize(self.samples, replace(FACTS, sessions=sessions))


async def every(period: float, disturb: Callable[[], None]) -> None:
    """Disturb again and again."""
    begin = anyio.current_time()
    for number in range(1, 100_000):
        await elapse(max(0.0, begin + number * period - anyio.current_time()))
        disturb()


async def at(moments: Sequence[float], disturb: Callable[[], None]) -> None:
    """Disturb at some moments, in seconds from now."""
    begin = anyio.current_time()
    for moment in moments:
        await elapse(max(0.0, begin + moment - anyio.current_time()))
        disturb()
