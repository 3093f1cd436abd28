"""`SessionFacts`: when a session of a shard ran, and which part of the schedule it covered.

Three clocks meet here. The *wall clock* is in seconds since 1970. *Seconds of the run* count from
the start of the shard's first session, pauses between sessions included; samples are in them. The
*schedule* is what arrivals, seed and number of devices say, from 0, without pauses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.sample import MAX_SECONDS

_MAX_NUMBER: Final = 1e15
"""More than any load of a generator, in whatever unit."""
_LATEST: Final = 1e11
"""Seconds since 1970, in the year 5138."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """The facts of one session of a shard, as of the last write to its journal."""

    shard: int = 0
    number: int = 0
    """From 0."""
    started: float
    """Its start in seconds since 1970, by the leader's clock if there is one."""
    skew: float | None = None
    """Seconds that the clock of its machine was ahead of the leader's; None without a leader:
    it is not known."""
    began: float = 0.0
    """Its start in seconds of the run."""
    place: float = 0.0
    """Seconds of the schedule at which it continued."""
    shift: float = 0.0
    """Seconds of the run minus seconds of the schedule, for what it started on schedule."""
    seconds: float = 0.0
    """How long it ran; of a session that was killed, as far as the journal knows."""
    stopped: float | None = None
    """Seconds after its start of the order to start no more devices; None if there was none."""
    ended: bool = False
    """Whether it came to its end. False: it is running, or it was killed."""
    generator_load: Mapping[str, Any] | None = None
    """Load of the generator; None until it has ended."""

    @classmethod
    def from_json(cls, facts: object) -> Self:
        """Return the facts whose fields were written as a JSON object.

        Raises:
            TypeError: If it was changed to another type, or has other members.
            ValueError: If a number is out of range.
        """
        if not isinstance(facts, dict):
            raise TypeError("the facts of a session are not an object")

        one = cls(**facts)
        given = dict(one.generator_load or {})
        GeneratorLoad(**given)
        unknown = {each.name for each in fields(GeneratorLoad) if each.default is None}
        load = {
            name: each for name, each in given.items() if each is not None or name not in unknown
        }
        times = [one.started, one.began, one.place, one.shift, one.seconds]
        times += [one.stopped or 0.0, one.skew or 0.0]
        numbers = [one.shard, one.number, *times, *load.values()]
        if not all(type(each) in {int, float} and abs(each) < _MAX_NUMBER for each in numbers):
            raise TypeError("a number of a session is not one, or out of range")

        if max(map(abs, times[1:])) > MAX_SECONDS or not 0 <= one.started < _LATEST:
            raise ValueError("a time of a session is out of range")

        return one

    @property
    def finished(self) -> float:
        """Its end in seconds of the run; of a session that was killed, the last that is known."""
        return self.began + self.seconds

    @property
    def reached(self) -> float:
        """Seconds of the schedule that it reached: the next session continues there."""
        ran = self.seconds if self.stopped is None else self.stopped
        return max(self.place, self.began + ran - self.shift)

    def run_seconds(self, scheduled: float) -> float:
        """Return the seconds of the run at which it started what was scheduled at a time."""
        return self.shift + scheduled


def began(earlier: Sequence[SessionFacts], *, started: float) -> float:
    """Return when a session begins in seconds of the run, given its start by the wall clock.

    It is never before the end of the session before it, whatever was done to the clock.
    """
    if not earlier:
        return 0.0

    last = earlier[-1]
    return last.finished + max(0.0, started - last.started - last.seconds)


def scheduled_run_seconds(earlier: Sequence[SessionFacts], scheduled: float) -> float | None:
    """Return the seconds of the run at which something was scheduled in an earlier session.

    Returns:
        None if the schedule did not get there.
    """
    if not earlier or scheduled >= earlier[-1].reached:
        return None

    covering = next((one for one in reversed(earlier) if scheduled >= one.place), earlier[0])
    return covering.run_seconds(scheduled)
