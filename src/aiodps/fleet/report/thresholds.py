"""Thresholds of a run: `--fail-if 'p99>5s,errors>0.1%'` makes CI fail when one is missed.

    condition = [transport "."] metric (">" | ">=" | "<" | "<=") number [unit]

    p50 p75 p90 p95 p99 p99.9 max mean   latency of assigned devices, in ms, s or m
    within(5s)                           share of devices that were assigned within a time, in %
    errors                               failed devices: their number, or with % their share
    unfinished                           registrations that have not ended: the same
    throttled  retries  register_requests  polls    mean per device
    rate                                 assigned devices per second
    start_lag  loop_lag                  p99 of the generator's own lag, in ms, s or m

A condition without a transport applies to each transport of the run. A figure that is absent
misses its threshold. Where there are thresholds, two more hold unless something else is said: that
every registration has ended (`unfinished>0`), and that the generator did not limit the run.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.report.summary import LATENCIES, Summary
from aiodps.transports import TRANSPORTS

MISSED: Final = 99
"""Exit code of a run that missed a threshold; the same as k6's."""
GENERATOR: Final = "the generator"
RUN: Final = "the run"

_PER_DEVICE: Final = ("throttled", "retries", "register_requests", "polls")
_LAGS: Final = ("start_lag", "loop_lag")
_COUNTS: Final = ("errors", "unfinished")
_METRICS: Final = (*LATENCIES, "within", *_COUNTS, *_PER_DEVICE, "rate", *_LAGS)
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}
_UNITS: Final = {**_SECONDS, "%": 0.01, "": 1.0, "/s": 1.0}
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_NUMBER: Final = r"\d{1,15}(?:\.\d{1,15})?"
_FORM: Final = re.compile(
    r"(?:(?P<transport>[a-z][a-z-]*)\.)?"
    rf"(?P<metric>[a-z_]+[0-9.]*)(?:\(\s*(?P<time>{_NUMBER})\s*(?P<time_unit>ms|s|m)\s*\))?\s*"
    rf"(?P<compare>[<>]=?)\s*(?P<number>{_NUMBER})\s*(?P<unit>ms|s|m|%|/s|)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One condition that makes a run fail."""

    text: str
    """The condition as given."""
    transport: str | None
    """None for each transport of the run."""
    metric: str
    compare: str
    limit: float
    """In seconds, or as a share if the unit is %."""
    unit: str
    within: float | None = None
    """Seconds of the metric `within`; None for the others."""

    @property
    def share(self) -> bool:
        """Whether devices are counted as a share of all."""
        return self.unit == "%"

    def missed_by(self, value: float) -> bool:
        """Whether a value misses the threshold, so that the run fails."""
        return _COMPARE[self.compare](value, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Whether a run met a threshold."""

    threshold: str
    """The condition as given."""
    of: str
    """What it was applied to: a transport, the generator, or the run."""
    passed: bool
    value: float | None
    """In seconds, as a share, or a number; None if it is not known."""
    limit: float | None
    """In the same unit; None if the condition has none."""
    unit: str
    """"s", "%" for shares, "/s" or "", as in `aiodps.fleet.measure.units.BY_UNIT`."""
    reason: str | None = None
    """Why it is missed, if the value does not show it; None otherwise."""


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

        if threshold.transport is not None and threshold.metric in {*_LAGS, "unfinished"}:
            raise _invalid(threshold.text, f"{threshold.metric} is not of one transport")

    return thresholds


def evaluate(
    evaluation: Evaluation,
    summary: Summary,
    samples: Sequence[Sample],
    *,
    transports: Collection[str],
) -> list[Result]:
    """Return whether a run kept its thresholds; empty if it has none.

    Args:
        evaluation: The thresholds.
        summary: The summary of the run.
        samples: The samples that the summary is about.
        transports: The transports of the run, also those over which nothing began.

    Raises:
        ConfigurationError: a condition is invalid.
    """
    if evaluation.fail_if is None:
        return []

    thresholds = parse(evaluation.fail_if, transports=transports)
    if not any(threshold.metric == "unfinished" for threshold in thresholds):
        thresholds += parse("unfinished>0")

    results = [
        _result(threshold, of, value)
        for threshold in thresholds
        for of, value in _values(threshold, summary, samples, transports)
    ]
    return results if evaluation.allow_limited else [*results, _limited(summary["generator"])]


def missed(summary: Summary) -> bool:
    """Whether a run missed a threshold."""
    return not all(result["passed"] for result in summary["thresholds"])


def _parse_condition(text: str) -> Threshold:
    found = _FORM.fullmatch(text)
    if found is None or found["metric"] not in _METRICS or not _time_fits(found):
        metrics = ", ".join(_METRICS)
        raise _invalid(text, f"give for example p99>5s or within(5s)<99%; the metrics: {metrics}")

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
        within=None
        if found["time"] is None
        else float(found["time"]) * _SECONDS[found["time_unit"]],
    )


def _time_fits(found: re.Match[str]) -> bool:
    """Whether a time is given to the metric that needs one, and to no other."""
    return (found["time"] is not None) == (found["metric"] == "within")


def _units_of(metric: str) -> tuple[str, ...]:
    if metric in LATENCIES or metric in _LAGS:
        return tuple(_SECONDS)

    return {"within": ("%",), "rate": ("/s", ""), **dict.fromkeys(_COUNTS, ("%", ""))}.get(
        metric, ("",)
    )


def _invalid(text: str, hint: str) -> ConfigurationError:
    return ConfigurationError(
        f"{ascii(text)[:80]} is not a valid threshold", setting="fail_if", hint=hint
    )


def _result(threshold: Threshold, of: str, value: float | None) -> Result:
    return Result(
        threshold=threshold.text,
        of=of,
        passed=value is not None and not threshold.missed_by(value),
        value=value,
        limit=threshold.limit,
        unit="s" if threshold.unit in _SECONDS else threshold.unit,
        reason=None if value is not None else _absent(threshold),
    )


def _absent(threshold: Threshold) -> str:
    if threshold.metric in _LAGS:
        return "the load of the generator is not known"

    return "no device was assigned" if threshold.metric in LATENCIES else "no device started"


def _limited(generator: Mapping[str, Any]) -> Result:
    """Return whether the generator kept up; if that is not known, it did not."""
    reasons = generator["why"] or ([generator["unknown"]] if generator.get("unknown") else [])
    passed = generator["limited"] is False
    return Result(
        threshold="limited",
        of=GENERATOR,
        passed=passed,
        value=None,
        limit=None,
        unit="",
        reason=None if passed else "; ".join(reasons) or "not known",
    )


def _values(
    threshold: Threshold,
    summary: Summary,
    samples: Sequence[Sample],
    transports: Collection[str],
) -> Iterator[tuple[str, float | None]]:
    """Yield what a condition is applied to, and the values; None if one is not known."""
    if threshold.metric in _LAGS:
        yield GENERATOR, summary["generator"].get(f"{threshold.metric}_p99")
        return

    if threshold.metric == "unfinished":
        total = sum(summary["states"].values()) if threshold.share else 1
        yield RUN, summary["unfinished"] / max(total, 1)
        return

    for name in sorted(transports):
        if threshold.transport in {None, name}:
            facts = summary["transports"].get(name)
            of_transport = [sample for sample in samples if sample.transport == name]
            yield name, facts and _value(threshold, facts, of_transport)


def _value(threshold: Threshold, facts: Summary, samples: Sequence[Sample]) -> float | None:
    match threshold.metric:
        case "within":
            return share_within(samples, threshold.within or 0.0)
        case "errors":
            return facts["failed"] / (facts["devices"] if threshold.share else 1)  # type: ignore[no-any-return]  # JSON
        case "rate":
            return facts["achieved_rate"] or 0.0
        case metric if metric in _PER_DEVICE:
            return facts[metric] / facts["devices"]  # type: ignore[no-any-return]  # JSON
        case metric:
            return None if facts["latency"] is None else facts["latency"][metric]


def share_within(samples: Sequence[Sample], seconds: float) -> float | None:
    """Return the share of devices that were assigned within a time; None if none began.

    Devices that failed or were interrupted count as never assigned.
    """
    quick = sum(one.outcome is Outcome.ASSIGNED and one.latency <= seconds for one in samples)
    return quick / len(samples) if samples else None
