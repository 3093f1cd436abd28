"""`Pacer`: decides when each device starts, from schedule, concurrency and rate limit.

Latency is counted from the intended start. With open arrivals that is the scheduled time, also
for a device that queues because too many are in flight. With closed arrivals it is the time when
another device ended. A rate limit of our own moves the intended start: nobody was waiting for the
device earlier.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from aiodps.fleet.plan.arrivals import Arrivals
from aiodps.observe import event_loop_clock


@dataclass(frozen=True, slots=True)
class Start:
    """The start of one device, in seconds of the event loop's clock."""

    intended: float
    """When the device should start: latency is counted from here."""
    possible: float
    """When the device could start: a later start is the generator's own lag."""


class Pacer:
    """Hands out starts, one after the other."""

    def __init__(
        self,
        arrivals: Arrivals,
        schedule: Sequence[float] | None,
        *,
        zero: float,
        limit_rate: float | None,
    ) -> None:
        """Prepare the starts of one session.

        Args:
            arrivals: How devices arrive; its concurrency is this shard's.
            schedule: Seconds after `zero` for each device; None with closed arrivals.
            zero: Start of the run on the event loop's clock.
            limit_rate: Most starts per minute; None for no limit.
        """
        self._schedule = schedule
        self._zero = zero
        self._gap = 60.0 / limit_rate if limit_rate else 0.0
        self._next = zero
        self._concurrency = arrivals.concurrency
        # For each free slot, the time when it became free.
        self._free = deque([zero] * (self._concurrency or 0))
        self._released = anyio.Event()
        self._clock = event_loop_clock()

    async def until_zero(self) -> None:
        """Wait for the start of the run."""
        await self._until(self._zero)

    async def next_start(self, index: int) -> Start:
        """Wait until the next device may start."""
        if self._schedule is None:
            freed = await self._acquire()
            due = max(freed, self._next) if self._gap else freed
            self._next = due + self._gap
            await self._until(due)
            return Start(due, due)

        due = self._zero + self._schedule[index]
        await self._until(due)
        return Start(due, max(due, await self._acquire()))

    def release(self) -> None:
        """Free the slot of a device that has ended."""
        if self._concurrency is not None:
            self._free.append(self._clock())
            self._released.set()

    async def _acquire(self) -> float:
        """Take a free slot, or wait for one; return when it became free."""
        if self._concurrency is None:
            return self._zero

        # Without a checkpoint if there is one: devices that are due start before others go on.
        while not self._free:
            self._released = anyio.Event()
            await self._released.wait()

        return self._free.popleft()

    async def _until(self, due: float) -> None:
        """Sleep until a time, unless it has passed."""
        if self._clock() < due:
            await anyio.sleep_until(due)
