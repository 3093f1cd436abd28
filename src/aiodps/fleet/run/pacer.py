"""Who begins when: joins a schedule, a number of devices at a time, and a rate limit.

The intended start is what latency is counted from. It is the schedule's time in open arrivals,
also for a device that then queues because too many are in flight. In closed arrivals a device is
wanted as soon as another has ended. A rate limit of our own moves the intended start: nobody
wanted the device earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import anyio

from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed


@dataclass(frozen=True, slots=True)
class Start:
    """One device's turn, in seconds of the event loop's clock."""

    intended: float
    """When it should begin: latency is counted from here."""
    free: float
    """When nothing held it back any more: only the generator can be later than this."""


class Pacer:
    """Hands out turns, one after the other."""

    def __init__(
        self,
        arrivals: Arrivals,
        schedule: Sequence[float] | None,
        *,
        zero: float,
        limit_rate: float | None,
    ) -> None:
        """Set up.

        Args:
            arrivals: How devices arrive; its concurrency is this shard's.
            schedule: Seconds after `zero` for each device in turn; None in closed arrivals.
            zero: When the run begins.
            limit_rate: Most turns a minute; None for no limit.
        """
        self._closed = isinstance(arrivals, Closed)
        self._burst = isinstance(arrivals, Burst)
        self._schedule = schedule
        self._zero = zero
        self._gap = 60.0 / limit_rate if limit_rate else 0.0
        self._next = zero
        self._places = arrivals.concurrency
        slots = math.inf if self._places is None else self._places
        self._give, self._take = anyio.create_memory_object_stream[float](slots)
        for _ in range(self._places or 0):
            self._give.send_nowait(zero)

    async def until_zero(self) -> None:
        """Wait until the run begins."""
        await _until(self._zero)

    async def start(self, index: int) -> Start:
        """Wait until the next device may begin."""
        if self._schedule is None:
            freed = await self._place()
            due = max(freed, self._next) if self._gap else freed
            self._next = due + self._gap
            await _until(due)
            return Start(due, due)

        due = self._zero + self._schedule[index]
        await _until(due)
        return Start(due, max(due, await self._place()))

    def free(self) -> None:
        """Give a place back: a device has ended."""
        if self._places is not None:
            self._give.send_nowait(anyio.current_time())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Hand out no more turns."""
        self._give.close()
        self._take.close()

    async def _place(self) -> float:
        """Wait for a place; return when it became free."""
        if self._places is None:
            return self._zero

        try:
            # Without giving way: devices that are due begin before those that have begun go on.
            return self._take.receive_nowait()
        except anyio.WouldBlock:
            return await self._take.receive()


async def _until(due: float) -> None:
    """Sleep until a time, if it has not passed."""
    if anyio.current_time() < due:
        await anyio.sleep_until(due)
