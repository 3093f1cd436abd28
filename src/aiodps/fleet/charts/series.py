"""`Series`: what charts are made of, for one transport of one run; and the parts of a latency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiodps.fleet.charts.bins import Bin
from aiodps.fleet.export.timeline import Slot
from aiodps.fleet.measure.percentiles import Point, curve
from aiodps.fleet.measure.sample import PHASES, Outcome, Sample

COLOURS: Final = ("#3b82c4", "#e08a3c", "#2a9d8f", "#9a6fd0")
"""Colours of the series, in their order."""

PARTS: Final = {
    "start_lag": ("started late", "#c0564f"),
    "dns": ("dns", "#b9c9e4"),
    "queue": ("handshake limiter", "#c98fb0"),
    "tcp": ("tcp", "#8fb0dd"),
    "proxy": ("proxy", "#76a0d6"),
    "tls": ("tls", "#5f90cf"),
    "session": ("mqtt session", "#3f6fb5"),
    "journal": ("journal", "#8d7fc7"),
    "register": ("register", "#2a9d8f"),
    "poll": ("poll", "#7cc6a4"),
    "wait": ("requested wait", "#a3aab5"),
    "poll_floor": ("own wait between polls", "#cdd2d9"),
    "backoff": ("lost to backoff", "#e08a3c"),
    "other": ("inside aiodps", "#d8b25a"),
}
"""Label and colour of each part of a latency, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One transport of one run."""

    label: str
    path: str
    """The path of its facts in `summary.json`."""
    colour: str
    facts: Mapping[str, Any]
    """The facts of the transport in `summary.json`."""
    latencies: Sequence[Point]
    """Percentile curve of the latencies of assigned devices."""
    service_times: Sequence[Point] = ()
    """The same of their service times."""
    bins: Sequence[Bin] = ()
    """How many latencies were how long."""
    slots: Sequence[Slot]
    """The timeline; a gap between two slots is a pause of the run."""


def curves(samples: Iterable[Sample]) -> dict[str, list[Point]]:
    """Return the percentile curves of samples, as fields of `Series`."""
    assigned = [sample for sample in samples if sample.outcome is Outcome.ASSIGNED]
    return {
        "latencies": list(curve(sorted(sample.latency for sample in assigned))),
        "service_times": list(curve(sorted(sample.service_time for sample in assigned))),
    }


def parts(facts: Mapping[str, Any]) -> dict[str, float]:
    """Return the mean seconds of each part; they add up to the mean latency."""
    if facts["waited"].get("other") is None:  # no device was assigned that was not resumed
        return {}

    waited = {name: facts["waited"][name]["mean"] for name in ("start_lag", "backoff", "other")}
    phases = {name: facts["phases"][name]["mean"] for name in PHASES if name in facts["phases"]}
    return {name: (waited | phases)[name] for name in PARTS if name in waited | phases}
