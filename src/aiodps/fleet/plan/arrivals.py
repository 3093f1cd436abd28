"""Arrivals: when devices should start (open, closed or burst), scheduled from one seed.

In an open model devices arrive whatever the service does, as they do in the field; so a service
that falls behind is seen falling behind. In a closed model a device starts when another has
ended; it cannot overload the service, and shows what a fixed concurrency achieves.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, assert_never, get_args

from aiodps.errors import ConfigurationError

Spacing: TypeAlias = Literal["constant", "poisson"]
"""Equal distances, or exponential ones, as of independent devices."""

MAX_CONCURRENCY = 100_000
"""Devices in flight in one run; a greater number is taken for a mistake."""
MAX_RATE = 100_000
"""Devices per second; a greater number is taken for a mistake."""
MAX_STARTS = 10_000_000
"""Devices of one run; a greater number is taken for a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A fixed number of devices at a time: one starts when another ends."""

    concurrency: int

    def __post_init__(self) -> None:
        """Check the values; raises `ConfigurationError`."""
        _check_concurrency(self.concurrency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A number of devices per second, whatever the service does."""

    rate: float
    """Devices per second."""
    spacing: Spacing = "constant"
    ramp: float = 0.0
    """Seconds over which the rate rises linearly from zero."""
    concurrency: int | None = None
    """Most devices in flight; the others queue, and their latency shows it. None for no
    limit."""

    def __post_init__(self) -> None:
        """Check the values; raises `ConfigurationError`."""
        if not 0 < self.rate <= MAX_RATE:
            raise unusable("rate", self.rate, "a number of devices per second greater than 0")

        if not 0 <= self.ramp < math.inf:
            raise unusable("ramp", self.ramp, "a number of seconds, 0 or more")

        _check_spacing(self.spacing)
        _check_optional_concurrency(self.concurrency)

    @property
    def highest_rate(self) -> float:
        """Devices per second when there are most."""
        return self.rate

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The ramp as the only stage."""
        return (Stage(duration=self.ramp, rate=self.rate),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A time in which the rate changes in a straight line, from that of the stage before."""

    duration: float
    """Seconds; 0 for a step."""
    rate: float
    """Devices per second at its end."""

    def __post_init__(self) -> None:
        """Check the values; raises `ConfigurationError`."""
        if not 0 <= self.duration < math.inf:
            raise unusable("stages", self.duration, "a number of seconds, 0 or more")

        if not 0 <= self.rate <= MAX_RATE:
            raise unusable("stages", self.rate, "a number of devices per second, 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A rate that changes in stages, whatever the service does; it begins at zero.

    The same as the stages of k6's executor `ramping-arrival-rate`. After the last stage, the rate
    stays as it is until all devices have started.
    """

    stages: tuple[Stage, ...]
    spacing: Spacing = "constant"
    concurrency: int | None = None
    """Most devices in flight; the others queue, and their latency shows it. None for no
    limit."""

    def __post_init__(self) -> None:
        """Check the values; raises `ConfigurationError`."""
        if not self.stages or not self.highest_rate:
            raise unusable("stages", self.stages, "at least one stage with a rate above 0")

        _check_spacing(self.spacing)
        _check_optional_concurrency(self.concurrency)

    @property
    def highest_rate(self) -> float:
        """Devices per second when there are most."""
        return max(stage.rate for stage in self.stages)

    @property
    def duration(self) -> float:
        """Seconds of all stages together."""
        return math.fsum(stage.duration for stage in self.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """All devices at once, as when power returns to all of them."""

    concurrency: int | None = None
    """Most devices in flight; the others queue, and their latency shows it. None for no
    limit."""

    def __post_init__(self) -> None:
        """Check the values; raises `ConfigurationError`."""
        _check_optional_concurrency(self.concurrency)


AtRate: TypeAlias = Open | Staged
"""Open arrivals: their times are known before the run."""
Arrivals: TypeAlias = Closed | AtRate | Burst


def schedule(arrivals: Arrivals, count: int, *, seed: int) -> list[float] | None:
    """Return when each device should start, in seconds since the start of the run.

    Returns:
        Ascending times; None for closed arrivals, which depend on when other devices end.

    Raises:
        ConfigurationError: If the last stage ends at a rate of zero before all have started.
    """
    match arrivals:
        case Closed():
            return None
        case Burst():
            return [0.0] * count
        case Open() | Staged():
            rates = _Rates(arrivals)
            units = _unit_rate_arrivals(arrivals.spacing, seed)
            return [rates.time_of(unit) for unit in itertools.islice(units, count)]
        case _:
            assert_never(arrivals)


def count_within(arrivals: AtRate, seconds: float, *, seed: int) -> int:
    """Return how many devices start in the first seconds of a run.

    With constant spacing that is the integral of the rate, rounded up: the first device starts at
    once. With poisson spacing it depends on the seed.

    Raises:
        ConfigurationError: If there are more than `MAX_STARTS`.
    """
    limit = _Rates(arrivals).count_until(seconds)
    if limit > MAX_STARTS:
        raise unusable("duration", seconds, f"a time in which at most {MAX_STARTS} devices start")

    units = _unit_rate_arrivals(arrivals.spacing, seed)
    return sum(1 for _ in itertools.takewhile(lambda unit: unit < limit, units))


def share(arrivals: Arrivals, shard: int, shards: int) -> Arrivals:
    """Return the arrivals with a shard's part of the concurrency; the schedule stays the run's."""
    if arrivals.concurrency is None:
        return arrivals

    return replace(arrivals, concurrency=len(range(shard, arrivals.concurrency, shards)))


def _unit_rate_arrivals(spacing: Spacing, seed: int) -> Iterator[float]:
    """Yield arrival times of a process with a mean rate of one arrival per unit of time."""
    rng = random.Random(seed)  # noqa: S311 (a schedule is not a secret)
    at = 0.0
    while True:
        yield at
        at += 1.0 if spacing == "constant" else rng.expovariate(1.0)


class _Rates:
    """The rate over time, and its integral: how many devices have started by when."""

    def __init__(self, arrivals: AtRate) -> None:
        stages = arrivals.stages
        before = (0.0, *(stage.rate for stage in stages[:-1]))
        self._segments = [
            (stage.duration, first, stage.rate)
            for stage, first in zip(stages, before, strict=True)
        ]
        self._segments.append((math.inf, stages[-1].rate, stages[-1].rate))
        areas = [duration * (first + last) / 2 for duration, first, last in self._segments[:-1]]
        self._counts = [0.0, *itertools.accumulate(areas)]
        self._begins = [0.0, *itertools.accumulate(stage.duration for stage in stages)]

    def count_until(self, seconds: float) -> float:
        """Return the integral of the rate up to a time."""
        index = bisect.bisect_right(self._begins, seconds) - 1
        duration, first, last = self._segments[index]
        elapsed = seconds - self._begins[index]
        return self._counts[index] + elapsed * (first + (last - first) * elapsed / duration / 2)

    def time_of(self, count: float) -> float:
        """Return when a number of devices has started: the inverse of the integral of the rate."""
        index = bisect.bisect_right(self._counts, count) - 1
        duration, first, last = self._segments[index]
        missing = count - self._counts[index]
        # The root of first * t + (last - first) / duration * t**2 / 2 = missing, in the form that
        # subtracts no nearly equal numbers.
        slope = (last - first) / duration if duration else 0.0
        divisor = first + math.sqrt(max(0.0, first * first + 2 * slope * missing))
        if not divisor and missing:
            raise unusable("stages", last, "a last rate above 0: there are more devices")

        return self._begins[index] + (2 * missing / divisor if divisor else 0.0)


def _check_spacing(spacing: object) -> None:
    if spacing not in get_args(Spacing):
        raise unusable("arrivals", spacing, " or ".join(get_args(Spacing)))


def _check_optional_concurrency(value: int | None) -> None:
    if value is not None:
        _check_concurrency(value)


def _check_concurrency(value: int) -> None:
    if type(value) is not int or not 0 < value <= MAX_CONCURRENCY:
        raise unusable("concurrency", value, f"a number of devices from 1 to {MAX_CONCURRENCY}")


def unusable(name: str, value: object, wanted: str) -> ConfigurationError:
    """Return the error for an option whose value cannot be used."""
    return ConfigurationError(
        f"{name} cannot be {ascii(value)[:60]}", setting=name, hint=f"give {wanted}"
    )
