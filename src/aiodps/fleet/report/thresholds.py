"""`--fail-if 'p99>5s,errors>0.1%'`: what a run must not be, for CI to judge it.

    condition = [transport "."] metric (">" | ">=" | "<" | "<=") number [unit]

    p50 p75 p90 p95 p99 p99.9 max mean   latency of assigned devices, in ms, s or m
    errors                               failed devices: how many, or with % their share
    throttled  retries  register_requests  polls    a device, in the mean
    rate                                 assigned devices a second
    start_lag  loop_lag                  the generator's own p99, in ms, s or m

Without a transport, each transport of the run must hold it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.percentiles import REPORTED
from aiodps.fleet.report.summary import Summary
from aiodps.transports import TRANSPORTS

MISSED: Final = 99
"""Exit code of a run that missed a threshold, as k6 has it."""

_LATENCIES: Final = (*(f"p{name}" for name in REPORTED), "max", "mean")
_EACH: Final = ("throttled", "retries", "register_requests", "polls")
_LAGS: Final = ("start_lag", "loop_lag")
_METRICS: Final = (*_LATENCIES, "errors", *_EACH, "rate", *_LAGS)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "%": 0.01, "": 1.0, "/s": 1.0}
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_FORM: Final = re.compile(
    r"(?:(?P<transport>[a-z][a-z-]*)\.)?(?P<metric>[a-z_]+[0-9.]*)\s*"
    r"(?P<compare>[<>]=?)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|%|/s|)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One thing that a run must not be."""

    text: str
    """As it was written."""
    transport: str | None
    """None for each of them."""
    metric: str
    compare: str
    limit: float
    """In seconds, or as a share where the unit was %."""
    unit: str

    @property
    def share(self) -> bool:
        """Whether errors are meant as a share of all devices."""
        return self.unit == "%"


def parse(text: str, *, transports: Collection[str] = TRANSPORTS) -> tuple[Threshold, ...]:
    """Read conditions separated by commas.

    Args:
        text: What `--fail-if` was given.
        transports: Those of the run; a condition on another is a mistake.

    Raises:
        ConfigurationError: a condition cannot be read; the message shows it.
    """
    thresholds = tuple(_one(part.strip()) for part in text.split(","))
    for threshold in thresholds:
        if threshold.transport not in {None, *transports}:
            raise _refuse(threshold.text, f"the run uses {', '.join(transports)}")

    return thresholds


def missed(thresholds: tuple[Threshold, ...], summary: Summary) -> list[str]:
    """Say which thresholds a run missed, and by what; empty if none.

    A latency of which there is none, because nothing was assigned, counts as missed: a run in
    which everything failed must not pass for a fast one.
    """
    return [line for threshold in thresholds for line in _missed(threshold, summary)]


def _one(text: str) -> Threshold:
    found = _FORM.fullmatch(text)
    if found is None or found["metric"] not in _METRICS:
        raise _refuse(text, f"write for example p99>5s; metrics are {', '.join(_METRICS)}")

    metric, unit = found["metric"], found["unit"]
    if unit not in _units_of(metric):
        allowed = " or ".join(unit or "no unit" for unit in _units_of(metric))
        raise _refuse(text, f"{metric} is given in {allowed}")

    return Threshold(
        text=text,
        transport=found["transport"],
        metric=metric,
        compare=found["compare"],
        limit=float(found["number"]) * _UNITS[unit],
        unit=unit,
    )


def _units_of(metric: str) -> tuple[str, ...]:
    if metric in _LATENCIES or metric in _LAGS:
        return ("ms", "s", "m")

    return {"errors": ("%", ""), "rate": ("/s", "")}.get(metric, ("",))


def _refuse(text: str, hint: str) -> ConfigurationError:
    return ConfigurationError(
        f"{ascii(text)[:80]} is not a threshold", setting="fail_if", hint=hint
    )


def _missed(threshold: Threshold, summary: Summary) -> Iterator[str]:
    for name, value in _values(threshold, summary):
        if value is None:
            yield f"{threshold.text}: {name} assigned no device"
        elif _COMPARE[threshold.compare](value, threshold.limit):
            yield f"{threshold.text}: {name} has {_say(threshold, value)}"


def _values(threshold: Threshold, summary: Summary) -> Iterator[tuple[str, float | None]]:
    if threshold.metric in _LAGS:
        yield "the generator", summary["generator"].get(f"{threshold.metric}_p99", 0.0)
        return

    for name, facts in summary["transports"].items():
        if threshold.transport in {None, name}:
            yield name, _value(threshold, facts)


def _value(threshold: Threshold, facts: Summary) -> float | None:
    match threshold.metric:
        case "errors":
            return facts["failed"] / (facts["devices"] if threshold.share else 1)  # type: ignore[no-any-return]  # JSON
        case "rate":
            return facts["achieved_rate"] or 0.0
        case metric if metric in _EACH:
            return facts[metric] / facts["devices"]  # type: ignore[no-any-return]  # JSON
        case metric:
            return None if facts["latency"] is None else facts["latency"][metric]


def _say(threshold: Threshold, value: float) -> str:
    return f"{value / _UNITS[threshold.unit]:.4g}{threshold.unit or ''}"
