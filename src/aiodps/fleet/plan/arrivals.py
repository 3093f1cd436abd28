"""When devices should begin: open, closed or burst, made before the run from one seed.

An open arrival does not wait for others, as devices in the field do not; so a service that falls
behind is seen falling behind. A closed one begins when another has ended; it cannot overload
anything, and shows what a number of devices at a time take.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from aiodps.errors import ConfigurationError

Spacing: TypeAlias = Literal["constant", "poisson"]
"""Even distances, or those of independent devices (exponential)."""

MOST_AT_ONCE = 100_000
"""Devices in flight in one run; more is taken for a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """So many devices at a time: one begins when another ends."""

    concurrency: int

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        _check_concurrency(self.concurrency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """So many devices a second, whatever the service does."""

    rate: float
    """Devices a second."""
    spacing: Spacing = "constant"
    ramp: float = 0.0
    """Seconds over which the rate climbs from nothing, in a straight line."""
    concurrency: int | None = None
    """Most devices in flight; the others queue, and their latency shows it. None for any."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        if not (math.isfinite(self.rate) and 0 < self.rate <= MOST_AT_ONCE):
            raise _nonsense("rate", self.rate, "a number of devices a second over 0")

        if not (math.isfinite(self.ramp) and self.ramp >= 0):
            raise _nonsense("ramp", self.ramp, "a number of seconds")

        if self.concurrency is not None:
            _check_concurrency(self.concurrency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """All at once, as when the power comes back."""

    concurrency: int | None = None
    """Most devices in flight; the others queue, and their latency shows it. None for any."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        if self.concurrency is not None:
            _check_concurrency(self.concurrency)


Arrivals: TypeAlias = Closed | Open | Burst


def schedule(arrivals: Arrivals, count: int, *, seed: int) -> list[float] | None:
    """Say when each device should begin, in seconds since the start.

    Returns:
        Times that never fall; None for closed arrivals, which depend on how the others end.
    """
    match arrivals:
        case Closed():
            return None
        case Burst():
            return [0.0] * count
        case Open():
            units = _units(arrivals.spacing, seed)
            return [_time_of(next(units), arrivals) for _ in range(count)]
        case _:
            assert_never(arrivals)


def share(arrivals: Arrivals, shard: int, shards: int) -> Arrivals:
    """Return a shard's part of the devices in flight; the schedule is parted by its devices."""
    if arrivals.concurrency is None:
        return arrivals

    part = len(range(shard, arrivals.concurrency, shards))
    match arrivals:
        case Closed():
            return Closed(concurrency=part)
        case Burst():
            return Burst(concurrency=part)
        case Open(rate=rate, spacing=spacing, ramp=ramp):
            return Open(rate=rate, spacing=spacing, ramp=ramp, concurrency=part)
        case _:
            assert_never(arrivals)


def _units(spacing: Spacing, seed: int) -> Iterator[float]:
    """Yield arrivals of a process with one arrival per unit of time, on average."""
    chance = random.Random(seed)  # noqa: S311 (a schedule is no secret)
    at = 0.0
    while True:
        yield at
        at += 1.0 if spacing == "constant" else chance.expovariate(1.0)


def _time_of(unit: float, arrivals: Open) -> float:
    """Say when so many devices should have begun: the rate's integral, turned around."""
    climbed = arrivals.rate * arrivals.ramp / 2
    if unit < climbed:
        return math.sqrt(2 * unit * arrivals.ramp / arrivals.rate)

    return arrivals.ramp + (unit - climbed) / arrivals.rate


def _check_concurrency(value: int) -> None:
    if type(value) is not int or not 0 < value <= MOST_AT_ONCE:
        raise _nonsense("concurrency", value, f"a number of devices from 1 to {MOST_AT_ONCE}")


def _nonsense(name: str, value: object, wanted: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} cannot be {ascii(value)[:40]}", setting=name, hint=f"give {wanted}"
    )
