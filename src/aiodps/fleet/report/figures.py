"""The figures that a comparison shows, and how uncertain each is in one run or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from aiodps.fleet.inference.block_bootstrap import BlockBootstrap
from aiodps.fleet.measure.percentiles import REPORTED, percentile
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.report.summary import Summary, pick

LEAST_RUNS: Final = 3
"""Runs of a side from which a variance between runs is taken."""
LEAST_BEYOND: Final = 10
"""Least devices beyond a percentile; with fewer, a bootstrap of it is meaningless."""

Variance = Callable[[BlockBootstrap, Sequence[Sample]], float | None]
"""The variance of a figure within one run; None if there are too few devices for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of one transport of a run."""

    name: str
    unit: str
    """"s", "/s", "%" (the values are shares) or "" for none."""
    path: str
    """Its path in the summary of the transport."""
    per_device: bool = False
    """Whether it is a count, to be divided by the number of devices."""
    variance: Variance | None = None
    """None if it is not tested: a maximum has no interval."""

    def value(self, facts: Summary) -> float | None:
        """Return the figure; None if it does not exist, as a latency where none was assigned."""
        value: float | None = pick(facts, self.path)
        return value / facts["devices"] if self.per_device and value is not None else value


def _percentile(percent: str, value: Callable[[Sample], float]) -> Variance:
    def variance(bootstrap: BlockBootstrap, samples: Sequence[Sample]) -> float | None:
        values = [(one.intended, value(one)) for one in _assigned(samples)]
        if len(values) * (100 - Fraction(percent)) / 100 < LEAST_BEYOND:
            return None

        return bootstrap.variance_of_percentile(values, percent)

    return variance


def _mean(value: Callable[[Sample], float], *, of_all: bool = False) -> Variance:
    def variance(bootstrap: BlockBootstrap, samples: Sequence[Sample]) -> float:
        counted = samples if of_all else _assigned(samples)
        return bootstrap.variance_of_mean([(one.intended, value(one)) for one in counted])

    return variance


def _rate(bootstrap: BlockBootstrap, samples: Sequence[Sample]) -> float:
    """Return the variance of the rate: between blocks, and by when the last device ends."""
    assigned = _assigned(samples)
    begin, end = min(one.intended for one in samples), max(one.finished for one in samples)
    tail = percentile(sorted(one.latency for one in assigned), 99) / (end - begin)
    rate = len(assigned) / (end - begin)
    return bootstrap.variance_of_rate(one.finished for one in assigned) + (rate * tail) ** 2


def _assigned(samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.outcome is Outcome.ASSIGNED]


def _latency(sample: Sample) -> float:
    return sample.latency


FIGURES: Final = (
    Figure(name="devices", unit="", path="devices"),
    Figure(
        name="failed",
        unit="%",
        path="failed",
        per_device=True,
        variance=_mean(lambda sample: sample.outcome is Outcome.FAILED, of_all=True),
    ),
    Figure(name="assigned", unit="/s", path="achieved_rate", variance=_rate),
    *(
        Figure(
            name=f"latency p{percent}",
            unit="s",
            path=f"latency/p{percent}",
            variance=_percentile(percent, _latency),
        )
        for percent in REPORTED
    ),
    Figure(name="latency max", unit="s", path="latency/max"),
    Figure(name="latency mean", unit="s", path="latency/mean", variance=_mean(_latency)),
    Figure(
        name="service time p50",
        unit="s",
        path="service_time/p50",
        variance=_percentile("50", lambda sample: sample.service_time),
    ),
    Figure(
        name="requested wait, mean",
        unit="s",
        path="waited/requested/mean",
        variance=_mean(lambda sample: sample.phases.get("wait", 0.0)),
    ),
    Figure(
        name="lost to backoff, mean",
        unit="s",
        path="waited/backoff/mean",
        variance=_mean(lambda sample: sample.backoff),
    ),
    *(
        Figure(
            name=f"{name} per device",
            unit="",
            path=path,
            per_device=True,
            variance=_mean(lambda sample, path=path: getattr(sample, path), of_all=True),  # type: ignore[misc]  # mypy infers no lambda with a default
        )
        for name, path in (
            ("register requests", "register_requests"),
            ("polls", "polls"),
            ("throttled", "throttled"),
        )
    ),
)
"""In the order of the table."""
