"""The verdict of a run in one sentence, for readers outside the field.

What was tried, on which service, whether it held, how long a device typically took, and how sure
that is. It says less where less is known: a run that was limited by its generator, has failures,
has not ended, or is of few devices is not called a success.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from aiodps.fleet.inference.block_bootstrap import BlockBootstrap
from aiodps.fleet.inference.student_t import two_sided_quantile
from aiodps.fleet.measure import units
from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.measure.window import in_window
from aiodps.fleet.report.cautions import unfinished
from aiodps.fleet.report.summary import Summary
from aiodps.fleet.report.target import service_name, transport_names

Kind: TypeAlias = Literal["good", "warn", "bad"]

FEW_DEVICES: Final = 100
"""Fewer assigned devices say little about others: one of a hundred is not among them."""
_CONFIDENCE: Final = 0.95
_KEPT_UP: Final = 0.9
"""Share of the offered rate; a service that assigns fewer falls behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """How a run ended."""

    kind: Kind
    lead: str
    """In a few words."""
    sentence: str
    """The rest of the sentence; "" if there is no more to say."""

    @property
    def text(self) -> str:
        """The whole sentence."""
        return f"{self.lead}: {self.sentence}" if self.sentence else self.lead


def verdict(summary: Summary, samples: Sequence[Sample]) -> RunVerdict:
    """Return the verdict of a run, from its summary and all of its samples."""
    transports = summary["transports"]
    if not transports:
        return RunVerdict(kind="warn", lead="Nothing was tried", sentence="no device has started.")

    kind, lead = _lead(summary)
    clauses = [_tried(summary), *_typical(transports), _certainty(summary, samples)]
    return RunVerdict(kind=kind, lead=lead, sentence=f"{'; '.join(filter(None, clauses))}.")


def _lead(summary: Summary) -> tuple[Kind, str]:
    """Return the outcome in a few words; the worst comes first."""
    transports = summary["transports"].values()
    devices, failed = (sum(facts[name] for facts in transports) for name in ("devices", "failed"))
    thresholds, generator = summary["thresholds"], summary["generator"]
    missed = [each for each in thresholds if not each["passed"]]
    if missed:
        shown = ", ".join(dict.fromkeys(_threshold(each) for each in missed[:3]))
        return "bad", f"Missed {len(missed)} of {len(thresholds)} thresholds ({shown})"

    if failed:
        kept = ", within the thresholds" if thresholds else ""
        unit = "devices" if len(transports) == 1 else "registrations"
        return "warn" if kept else "bad", f"{failed:,} of {devices:,} {unit} failed{kept}"

    if unfinished(summary):
        return "warn", "Not finished"

    if generator["limited"] or generator["unknown"]:
        return "warn", "Not conclusive"

    return "good", "Passed" if thresholds else "All went well"


def _threshold(result: dict[str, Any]) -> str:
    if result["value"] is None:
        return f"{result['threshold']} of {result['of']}"

    value = units.BY_UNIT[result["unit"]](result["value"])
    return f"{result['threshold']} of {result['of']}: {value}"


def _tried(summary: Summary) -> str:
    """Return what was tried, on which service, and what became of it."""
    transports = summary["transports"]
    devices = max(facts["devices"] for facts in transports.values())
    each = ", each" if len(transports) > 1 else ""
    service = service_name(summary["environment"])
    asked = f"{_devices(devices)} asked {service} for a hub{each}"
    return f"{asked} over {transport_names(transports)}{_how(summary)}, and {_ends(summary)}"


def _devices(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"


def _ends(summary: Summary) -> str:
    """Return what became of the devices."""
    transports = summary["transports"].values()
    begun, assigned, failed = (
        sum(facts[name] for facts in transports) for name in ("devices", "assigned", "failed")
    )
    left = unfinished(summary)
    ends = [f"{assigned:,} got one" if assigned else "none got one"]
    if assigned == begun and not left:
        return "it got one" if begun == 1 else "all got one"

    ends += [f"{failed:,} failed{_most_often(summary)}"] if failed else []
    ends += [f"{left:,} had not ended"] if left else []
    return f"{', '.join(ends[:-1])}{' and ' if ends[1:] else ''}{ends[-1]}"


def _how(summary: Summary) -> str:
    """Return how devices arrived, as a few words: ", at 50/s"."""
    words = summary["arrivals"].removeprefix("open, ").removeprefix("closed, ").split(", ")[0]
    if words.startswith("to "):
        return ", at rates that changed"

    return f", {'at ' if words.endswith('/s') else ''}{words}"


def _most_often(summary: Summary) -> str:
    if not summary["errors"]:
        return ""

    first, *others = summary["errors"]
    code = "" if first["code"] is None else f" {first['code']}"
    return f" ({'mostly ' if others else ''}{first['class']}{code})"


def _typical(transports: dict[str, Summary]) -> Iterator[str]:
    """Yield how long devices took, for each transport that assigned some."""
    latencies = {name: facts["latency"] for name, facts in transports.items() if facts["latency"]}
    if not latencies:
        return

    if len(transports) == 1:
        (latency,) = latencies.values()
        typical = f"a device typically took {units.duration(latency['p50'])}{_slow(latency)}"
        yield typical if latency["count"] > 1 else f"it took {units.duration(latency['max'])}"
        return

    each = (
        f"{units.duration(latencies[name]['p50'])} over {name}{_slow(latencies[name])}"
        for name in sorted(latencies, reverse=True)
    )
    yield f"a device typically took {' and '.join(each)}"


def _slow(latency: Summary) -> str:
    if latency["count"] == 1:
        return ""

    if latency["count"] < FEW_DEVICES:
        return f" (the slowest {units.duration(latency['max'])})"

    return f" (99 of 100 at most {units.duration(latency['p99'])})"


def _certainty(summary: Summary, samples: Sequence[Sample]) -> str:
    """Return how reliable the times are; "" if no device was assigned."""
    transports, generator = summary["transports"].values(), summary["generator"]
    if not any(facts["assigned"] for facts in transports):
        return ""

    if generator["limited"] or generator["unknown"]:
        return (
            "this machine could not keep up, so that these times are not the service's"
            if generator["limited"]
            else "whether this machine kept up is not known"
        )

    if min(facts["assigned"] for facts in transports) < FEW_DEVICES:
        return "so few devices say little about others"

    return _behind(summary) or _precision(summary, samples)


def _behind(summary: Summary) -> str:
    """Return by how much the service fell behind; "" if it did not, or others are missing."""
    if summary["arrivals"].startswith("closed") or unfinished(summary) or summary["errors"]:
        return ""

    for facts in summary["transports"].values():
        offered, achieved = facts["offered_rate"], facts["achieved_rate"]
        lasted = facts["devices"] / offered if offered else 0.0
        if lasted > facts["latency"]["p50"] and achieved < _KEPT_UP * offered:
            rates = units.rate(offered), units.rate(achieved)
            return "the service fell behind: {} were asked for, and {} came".format(*rates)

    return ""


def _precision(summary: Summary, samples: Sequence[Sample]) -> str:
    """Return how exact the typical time is, by how much it varies within the run."""
    shown = in_window(samples, summary["window"])
    reaches = [
        _reach([one for one in shown if one.transport == name]) for name in summary["transports"]
    ]
    known = [reach for reach in reaches if reach is not None]
    if len(known) < len(reaches):
        return "the run is too short to say how far another would differ"

    within = units.duration(max(known))
    return f"as far as one run can tell, the typical time is right to within {within}"


def _reach(samples: Sequence[Sample]) -> float | None:
    """Return half the interval of the median in seconds; None if the run is too short for one."""
    assigned = [one for one in samples if one.outcome is Outcome.ASSIGNED]
    latencies = [(one.intended, one.latency) for one in assigned]
    blocks = BlockBootstrap.over(latencies, seed=0)
    if blocks is None:
        return None

    error = math.sqrt(blocks.variance_of_percentile(latencies, "50"))
    return two_sided_quantile(_CONFIDENCE, blocks.freedom) * error
