"""Search for the highest rate that meets the thresholds of a run.

Each step is a run at one rate. The rate is doubled until a step misses a threshold; then the rates
between the highest that met them and the lowest that did not are halved, in ratio, until the two
are close. A step that the generator limited is a bound of the search like any other, but says
nothing about the service.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiodps.fleet.plan.arrivals import MAX_RATE, unusable
from aiodps.fleet.report.summary import Summary, pick

PRECISION: Final = 0.1
"""Ratio, minus one, of the lowest rate that was not kept to the highest that was, at the end."""
_FACTOR: Final = 2.0
_DIGITS: Final = 3


class Outcome(enum.StrEnum):
    """What a step showed about its rate."""

    KEPT = "kept"
    """All thresholds were kept."""
    MISSED = "missed"
    """The service missed a threshold."""
    LIMITED = "limited"
    """The generator limited the step, or it is not known whether it did."""


class End(enum.StrEnum):
    """Why a search ended."""

    FOUND = "found"
    """The highest rate is between two steps that are close."""
    RANGE = "range"
    """All rates up to the highest of the search were kept: the service may do more."""
    LOWEST = "lowest"
    """Even the lowest rate of the search was missed."""
    GENERATOR = "generator"
    """The generator was at its limit before the service was: the service may do more."""
    DEVICES = "devices"
    """There are not enough devices for another step: the service may do more, or less."""
    STOPPED = "stopped"
    """The search was stopped: the service may do more, or less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a search."""

    rate: float
    outcome: Outcome
    folder: str
    """Name of its run folder."""
    devices: int
    achieved_rate: float
    """Assigned devices per second, over all transports."""
    p50: float | None
    """The greatest p50 of latency of any transport, in seconds."""
    p99: float | None
    reasons: tuple[str, ...]
    """The thresholds that were missed, or why the generator limited the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Result of a search."""

    rate: float | None
    """The highest rate that met the thresholds, in devices per second; None if none did."""
    bound: float | None
    """The lowest rate that did not; None if all did."""
    end: End
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The range and the precision of a search."""

    lowest: float
    highest: float
    precision: float = PRECISION

    def __post_init__(self) -> None:
        """Check the values; raises `ConfigurationError`."""
        if not 0 < self.lowest <= MAX_RATE:
            raise unusable("from", self.lowest, "a number of devices per second greater than 0")

        if not self.lowest <= self.highest <= MAX_RATE:
            raise unusable("to", self.highest, f"a rate from {self.lowest:g} to {MAX_RATE}")

        if not 0.01 <= self.precision < math.inf:  # noqa: PLR2004 (rates have three digits)
            raise unusable("precision", self.precision, "a share from 1 % on")

    def next_rate(self, steps: Sequence[Step]) -> float | None:
        """Return the rate of the next step; None if the search has ended."""
        if not steps:
            return self.lowest

        kept, bound = _bounds(steps)
        if kept is None:
            return None

        if bound is None:
            return None if kept >= self.highest else min(_FACTOR * kept, self.highest)

        rate = _rounded(math.sqrt(kept * bound))
        return rate if bound > kept * (1 + self.precision) and kept < rate < bound else None

    def end(self, steps: Sequence[Step]) -> End:
        """Return why a search has ended, unless from outside."""
        kept, bound = _bounds(steps)
        at_bound = [step.outcome for step in steps if step.rate == bound]
        if Outcome.LIMITED in at_bound:
            return End.GENERATOR

        if kept is None:
            return End.LOWEST

        return End.RANGE if bound is None else End.FOUND


def find_capacity(search: Search, run_step: Callable[[float, int], Step | End]) -> Capacity:
    """Search for the highest rate that meets the thresholds.

    Args:
        search: The range.
        run_step: Runs a step at a rate and with a number from 1; returns an end if it cannot.
    """
    steps: list[Step] = []
    while (rate := search.next_rate(steps)) is not None:
        step = run_step(rate, len(steps) + 1)
        if isinstance(step, End):
            return _capacity(steps, step)

        steps.append(step)

    return _capacity(steps, search.end(steps))


def step_of(summary: Summary, *, rate: float, folder: str) -> Step:
    """Return what a run showed about its rate."""
    missed = [result for result in summary["thresholds"] if not result["passed"]]
    limits = [str(result["reason"]) for result in missed if result["threshold"] == "limited"]
    reasons = limits or [f"{result['threshold']} ({result['of']})" for result in missed]
    transports = summary["transports"].values()
    return Step(
        rate=rate,
        outcome=Outcome.LIMITED if limits else Outcome.MISSED if missed else Outcome.KEPT,
        folder=folder,
        devices=sum(facts["devices"] for facts in transports),
        achieved_rate=math.fsum(facts["achieved_rate"] or 0.0 for facts in transports),
        p50=_greatest_latency(summary, "p50"),
        p99=_greatest_latency(summary, "p99"),
        reasons=tuple(reasons),
    )


def _greatest_latency(summary: Summary, name: str) -> float | None:
    found = [pick(facts, f"latency/{name}") for facts in summary["transports"].values()]
    return max((value for value in found if value is not None), default=None)


def _bounds(steps: Sequence[Step]) -> tuple[float | None, float | None]:
    """Return the highest rate that was kept, and the lowest that was not."""
    kept = [step.rate for step in steps if step.outcome is Outcome.KEPT]
    other = [step.rate for step in steps if step.outcome is not Outcome.KEPT]
    return max(kept, default=None), min(other, default=None)


def _capacity(steps: Sequence[Step], end: End) -> Capacity:
    kept, bound = _bounds(steps)
    return Capacity(rate=kept, bound=bound, end=end, steps=tuple(steps))


def _rounded(rate: float) -> float:
    """Round a rate to three significant digits."""
    return round(rate, _DIGITS - 1 - math.floor(math.log10(rate)))
