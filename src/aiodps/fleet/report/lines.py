"""What the charts show: lines and bars, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiodps.fleet.export.timeline import Slot
from aiodps.fleet.measure import units
from aiodps.fleet.measure.percentiles import Point, curve
from aiodps.fleet.measure.sample import PHASES, Outcome, Sample
from aiodps.fleet.report.summary import Summary

COLOURS: Final = ("#3b82c4", "#e08a3c", "#2a9d8f", "#9a6fd0")
"""Colours of the series, in their order."""

_FAILED: Final = "#d0453e"

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
    facts: Summary
    """The facts of the transport in `summary.json`."""
    latencies: Sequence[Point]
    """Percentile curve of the latencies of assigned devices."""
    service_times: Sequence[Point] = ()
    """The same of their service times."""
    slots: Sequence[Slot]
    """The timeline."""


def curves(samples: Iterable[Sample]) -> dict[str, list[Point]]:
    """Return the percentile curves of samples, as fields of `Series`."""
    assigned = [sample for sample in samples if sample.outcome is Outcome.ASSIGNED]
    return {
        "latencies": list(curve(sorted(sample.latency for sample in assigned))),
        "service_times": list(curve(sorted(sample.service_time for sample in assigned))),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart."""

    colour: str
    x: Sequence[float]
    y: Sequence[float]
    text: Sequence[str]
    """What is shown at each point when it is pointed at."""
    dash: str = "solid"
    hover: bool = True
    filled: bool = False

    @property
    def data(self) -> Mapping[str, Sequence[object]]:
        """The columns of its data source."""
        return {"x": self.x, "y": self.y, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """One part of stacked bars, a bar for each series."""

    colour: str
    y: Sequence[str]
    """Labels of the series."""
    left: Sequence[float]
    right: Sequence[float]
    text: Sequence[str]

    @property
    def data(self) -> Mapping[str, Sequence[object]]:
        """The columns of its data source."""
        return {"y": self.y, "left": self.left, "right": self.right, "text": self.text}


def parts(facts: Summary) -> dict[str, float]:
    """Return the mean seconds of each part; they add up to the mean latency."""
    if facts["waited"].get("other") is None:  # no device was assigned that was not resumed
        return {}

    waited = {name: facts["waited"][name]["mean"] for name in ("start_lag", "backoff", "other")}
    phases = {name: facts["phases"][name]["mean"] for name in PHASES if name in facts["phases"]}
    return {name: (waited | phases)[name] for name in PARTS if name in waited | phases}


def percentile_lines(series: Iterable[Series]) -> list[Line]:
    """Return latency and service time by percentile, on HdrHistogram's axis."""
    return [
        Line(
            colour=one.colour,
            x=[point.one_in or float(max(point.count, 2)) for point in points],
            y=[point.value for point in points],
            text=[_percentile_text(one.label, point, suffix) for point in points],
            dash=dash,
            hover=not suffix,
        )
        for one in series
        for points, dash, suffix in (
            (one.latencies, "solid", ""),
            (one.service_times, "dotted", " service time"),
        )
    ]


def _percentile_text(label: str, point: Point, suffix: str) -> str:
    return f"{label} {float(point.percent):.7g} %: {units.duration(point.value)}{suffix}"


def timeline_lines(series: Iterable[Series]) -> dict[str, list[Line]]:
    """Return throughput, devices in flight and latency over time."""
    lines: dict[str, list[Line]] = {"throughput": [], "flight": [], "latency": []}
    for one in series:
        lines["throughput"] += _throughput(one)
        flight = _over_time(one, lambda slot: slot.in_flight, "in flight")
        lines["flight"].append(replace(flight, filled=True))
        p50 = _over_time(one, lambda slot: slot.p50, "p50", seconds=True)
        p99 = _over_time(one, lambda slot: slot.p99, "p99", seconds=True)
        lines["latency"] += [p50, replace(p99, dash="dashed")]

    return lines


def _throughput(one: Series) -> Iterator[Line]:
    if one.facts["offered_rate"] is not None:  # a burst would dwarf all other rates
        arrivals = _over_time(one, lambda slot: slot.arrivals, "arrive")
        yield replace(arrivals, dash="dotted")

    yield _over_time(one, lambda slot: slot.assigned, "assigned")
    if any(slot.failed for slot in one.slots):
        yield replace(_over_time(one, lambda slot: slot.failed, "fail"), colour=_FAILED)


def _over_time(
    one: Series, value: Callable[[Slot], float | None], label: str, *, seconds: bool = False
) -> Line:
    write = units.duration if seconds else units.count
    points = [(slot.begin, figure) for slot in one.slots if (figure := value(slot)) is not None]
    return Line(
        colour=one.colour,
        x=[begin for begin, _ in points],
        y=[figure for _, figure in points],
        text=[f"{one.label} {begin:g} s: {write(figure)} {label}" for begin, figure in points],
    )


def phase_bars(series: Sequence[Series]) -> dict[str, list[Bars]]:
    """Return the parts of the mean latency, with and without the wait that was asked for."""
    bars = {"phases": list(_stacked(series, PARTS))}
    if any(parts(one.facts).get("wait") for one in series):
        bars["work"] = list(_stacked(series, [name for name in PARTS if name != "wait"]))

    return bars


_SHORTEST_BAR: Final = 1e-6
"""Seconds; less is what rounding leaves of the difference that "inside aiodps" is."""


def _stacked(series: Sequence[Series], names: Iterable[str]) -> Iterator[Bars]:
    left = [0.0] * len(series)
    for name in names:
        label, colour = PARTS[name]
        seconds = [parts(one.facts).get(name, 0.0) for one in series]
        if max(seconds, default=0.0) < _SHORTEST_BAR:
            continue

        right = [begin + max(took, 0.0) for begin, took in zip(left, seconds, strict=True)]
        text = [f"{label}: {units.duration(took)}" for took in seconds]
        labels = [one.label for one in series]
        yield Bars(colour=colour, y=labels, left=left, right=right, text=text)
        left = right
