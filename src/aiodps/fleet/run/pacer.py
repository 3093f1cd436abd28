"""`Pacer`: decides when each device starts, from schedule, concurrency and rate limit.

Latency is counted from the intended start. With open arrivals that is the scheduled time, also
for a device that queues because too many are in flight. With closed arrivals it is the time when
another device ended. A rate limit of our own moves the intended start: nobody was waiting for the
device earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import anyio

from aiodps.fleet.plan.arrivals import Arrivals


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
        # One item for each free slot: the time when it became free.
        self._released, self._free = anyio.create_memory_object_stream[float](math.inf)
        for _ in range(self._concurrency or 0):
            self._released.send_nowait(zero)

    async def until_zero(self) -> None:
        """Wait for the start of the run."""
        await _until(self._zero)

    async def next_start(self, index: int) -> Start:
        """Wait until the next device may start."""
        if self._schedule is None:
            freed = await self._acquire()
            due = max(freed, self._next) if self._gap else freed
            self._next = due + self._gap
            await _until(due)
            return Start(due, due)

        due = self._zero + self._schedule[index]
        await _until(due)
        return Start(due, max(due, await self._acquire()))

    def release(self) -> None:
        """Free the slot of a device that has ended."""
        if self._concurrency is not None:
            self._released.send_nowait(anyio.current_time())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the queue of free slots."""
        self._released.close()
        self._free.close()

    async def _acquire(self) -> float:
        """Wait for a free slot; return when it became free."""
        if self._concurrency is None:
            return self._zero

        try:
            # Without a checkpoint: devices that are due start before others make progress.
            return self._free.receive_nowait()
        except anyio.WouldBlock:
            return await self._free.receive()


async def _until(due: float) -> None:
    """Sleep until a time, unless it has passed."""
    if anyio.current_time() < due:
        await anyio.sleep_until(due)
