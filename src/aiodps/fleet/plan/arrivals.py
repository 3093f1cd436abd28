"""Arrivals: when devices should start (open, closed or burst), scheduled from one seed.

In an open model devices arrive whatever the service does, as they do in the field; so a service
that falls behind is seen falling behind. In a closed model a device starts when another has
ended; it cannot overload the service, and shows what a fixed concurrency achieves.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, assert_never

from aiodps.errors import ConfigurationError

Spacing: TypeAlias = Literal["constant", "poisson"]
"""Equal distances, or exponential ones, as of independent devices."""

MAX_CONCURRENCY = 100_000
"""Devices in flight in one run; a greater number is taken for a mistake."""


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
        if not (math.isfinite(self.rate) and 0 < self.rate <= MAX_CONCURRENCY):
            raise unusable("rate", self.rate, "a number of devices per second greater than 0")

        if not (math.isfinite(self.ramp) and self.ramp >= 0):
            raise unusable("ramp", self.ramp, "a number of seconds, 0 or more")

        if self.concurrency is not None:
            _check_concurrency(self.concurrency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """All devices at once, as when the power comes back."""

    concurrency: int | None = None
    """Most devices in flight; the others queue, and their latency shows it. None for no
    limit."""

    def __post_init__(self) -> None:
        """Check the values; raises `ConfigurationError`."""
        if self.concurrency is not None:
            _check_concurrency(self.concurrency)


Arrivals: TypeAlias = Closed | Open | Burst


def schedule(arrivals: Arrivals, count: int, *, seed: int) -> list[float] | None:
    """Return when each device should start, in seconds since the start of the run.

    Returns:
        Ascending times; None for closed arrivals, which depend on when other devices end.
    """
    match arrivals:
        case Closed():
            return None
        case Burst():
            return [0.0] * count
        case Open():
            units = _unit_rate_arrivals(arrivals.spacing, seed)
            return [_arrival_time(next(units), arrivals) for _ in range(count)]
        case _:
            assert_never(arrivals)


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


def _arrival_time(arrived: float, arrivals: Open) -> float:
    """Return when this many devices have arrived: the inverse of the integral of the rate."""
    in_ramp = arrivals.rate * arrivals.ramp / 2
    if arrived < in_ramp:
        return math.sqrt(2 * arrived * arrivals.ramp / arrivals.rate)

    return arrivals.ramp + (arrived - in_ramp) / arrivals.rate


def _check_concurrency(value: int) -> None:
    if type(value) is not int or not 0 < value <= MAX_CONCURRENCY:
        raise unusable("concurrency", value, f"a number of devices from 1 to {MAX_CONCURRENCY}")


def unusable(name: str, value: object, wanted: str) -> ConfigurationError:
    """Return the error for an option whose value cannot be used."""
    return ConfigurationError(
        f"{name} cannot be {ascii(value)[:60]}", setting=name, hint=f"give {wanted}"
    )
