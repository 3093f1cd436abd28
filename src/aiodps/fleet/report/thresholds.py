"""Thresholds of a run: `--fail-if 'p99>5s,errors>0.1%'` makes CI fail when one is missed.

    condition = [transport "."] metric (">" | ">=" | "<" | "<=") number [unit]

    p50 p75 p90 p95 p99 p99.9 max mean   latency of assigned devices, in ms, s or m
    errors                               failed devices: their number, or with % their share
    throttled  retries  register_requests  polls    mean per device
    rate                                 assigned devices per second
    start_lag  loop_lag                  p99 of the generator's own lag, in ms, s or m

A condition without a transport applies to each transport of the run.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.report.summary import LATENCIES, Summary
from aiodps.transports import TRANSPORTS

MISSED: Final = 99
"""Exit code of a run that missed a threshold; the same as k6's."""

_PER_DEVICE: Final = ("throttled", "retries", "register_requests", "polls")
_LAGS: Final = ("start_lag", "loop_lag")
_METRICS: Final = (*LATENCIES, "errors", *_PER_DEVICE, "rate", *_LAGS)
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
    """One condition that a run must not meet."""

    text: str
    """The condition as given."""
    transport: str | None
    """None for each transport of the run."""
    metric: str
    compare: str
    limit: float
    """In seconds, or as a share if the unit is %."""
    unit: str

    @property
    def share(self) -> bool:
        """Whether errors are counted as a share of all devices."""
        return self.unit == "%"


def parse(text: str, *, transports: Collection[str] = TRANSPORTS) -> tuple[Threshold, ...]:
    """Read conditions separated by commas.

    Args:
        text: The value of `--fail-if`.
        transports: The transports of the run; a condition on another one is an error.

    Raises:
        ConfigurationError: a condition is invalid; the message shows it.
    """
    thresholds = tuple(_parse_condition(part.strip()) for part in text.split(","))
    for threshold in thresholds:
        if threshold.transport not in {None, *transports}:
            raise _invalid(
                threshold.text, f"the transports of the run are {', '.join(transports)}"
            )

    return thresholds


def missed(thresholds: tuple[Threshold, ...], summary: Summary) -> list[str]:
    """Return which thresholds a run missed, and its values; empty if none.

    A latency threshold also counts as missed if no device was assigned: a run in which every
    device failed is not a fast run.
    """
    return [line for threshold in thresholds for line in _missed(threshold, summary)]


def _parse_condition(text: str) -> Threshold:
    found = _FORM.fullmatch(text)
    if found is None or found["metric"] not in _METRICS:
        raise _invalid(text, f"give for example p99>5s; the metrics are {', '.join(_METRICS)}")

    metric, unit = found["metric"], found["unit"]
    if unit not in _units_of(metric):
        allowed = " or ".join(unit or "no unit" for unit in _units_of(metric))
        raise _invalid(text, f"give {metric} in {allowed}")

    return Threshold(
        text=text,
        transport=found["transport"],
        metric=metric,
        compare=found["compare"],
        limit=float(found["number"]) * _UNITS[unit],
        unit=unit,
    )


def _units_of(metric: str) -> tuple[str, ...]:
    if metric in LATENCIES or metric in _LAGS:
        return ("ms", "s", "m")

    return {"errors": ("%", ""), "rate": ("/s", "")}.get(metric, ("",))


def _invalid(text: str, hint: str) -> ConfigurationError:
    return ConfigurationError(
        f"{ascii(text)[:80]} is not a valid threshold", setting="fail_if", hint=hint
    )


def _missed(threshold: Threshold, summary: Summary) -> Iterator[str]:
    for name, value in _values(threshold, summary):
        if value is None:
            yield f"{threshold.text}: {name} assigned no device"
        elif _COMPARE[threshold.compare](value, threshold.limit):
            yield f"{threshold.text}: {name} has {_format(threshold, value)}"


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
        case metric if metric in _PER_DEVICE:
            return facts[metric] / facts["devices"]  # type: ignore[no-any-return]  # JSON
        case metric:
            return None if facts["latency"] is None else facts["latency"][metric]


def _format(threshold: Threshold, value: float) -> str:
    return f"{value / _UNITS[threshold.unit]:.4g}{threshold.unit or ''}"
