"""Loop lag: how late an event at any moment would have been handled by the event loop."""

from __future__ import annotations

import random
from array import array

TICK = 0.02
"""Mean seconds between two ticks: each costs some 50 microseconds, 0.25 % of a core."""


class LoopLag:
    """Lateness of ticks, those included that a loop which was held up has missed.

    A loop that is held up for 2 s misses a hundred ticks, and each of them counts with the wait
    that an event at its moment had: 2.00 s, 1.98 s, and so on to nothing. So a percentile is a
    share of time, as with the expected interval of HdrHistogram. The moments of ticks are drawn
    in advance, whatever happens: ticks that each begin when the last one is done would fall into
    step with a process that is stopped regularly, and see the end of each stop only.
    """

    def __init__(self, *, begin: float, tick: float = TICK) -> None:
        self.due: float = begin
        """When the next tick is due, on the event loop's clock."""
        self.values: array[float] = array("d")
        """Seconds by which each tick was late."""
        self._tick = tick
        self._random = random.Random(0)  # noqa: S311 (not a secret)

    def wake(self, now: float) -> None:
        """Record all ticks that are due."""
        while self.due <= now:
            self.values.append(now - self.due)
            self.due += self._tick * self._random.uniform(0.5, 1.5)
