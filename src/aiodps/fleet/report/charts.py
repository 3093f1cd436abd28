"""The charts of the report, drawn with Bokeh.

Axes and grids take their colours from CSS, so that one chart fits both colour schemes; the
colours of lines and bars are legible in both. Nothing needs `eval`, so the page can forbid it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from bokeh.models import ColumnDataSource, DataRange1d, FixedTicker, HoverTool, NoOverlap
from bokeh.plotting import figure

from aiodps.fleet.export.timeline import Slot, slot_width, timeline
from aiodps.fleet.measure.percentiles import curve
from aiodps.fleet.measure.sample import PHASES, Outcome, Sample
from aiodps.fleet.report import units
from aiodps.fleet.report.summary import Summary

COLOURS: Final = ("#3b82c4", "#e08a3c", "#2a9d8f", "#9a6fd0")
"""Colours of the series, in their order."""

_FAILED: Final = "#d0453e"

PARTS: Final = {
    "start_lag": ("started late", "#c0564f"),
    "dns": ("dns", "#b9c9e4"),
    "queue": ("handshake limiter", "#c98fb0"),
    "tcp": ("tcp", "#8fb0dd"),
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

_TOOLTIP: Final = "<div>@text</div>"
"""Bokeh escapes the text."""

_TALL: Final = 320
_LOW: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One transport of one run."""

    label: str
    path: str
    """The path of its facts in `summary.json`."""
    colour: str
    facts: Summary
    """The facts of the transport in `summary.json`."""
    samples: Sequence[Sample]


def parts(facts: Summary) -> dict[str, float]:
    """Return the mean seconds of each part; they add up to the mean latency."""
    if facts["latency"] is None:
        return {}

    waited = {name: facts["waited"][name]["mean"] for name in ("start_lag", "backoff", "other")}
    phases = {name: facts["phases"][name]["mean"] for name in PHASES if name in facts["phases"]}
    return {name: (waited | phases)[name] for name in PARTS if name in waited | phases}


def percentile_chart(series: Sequence[Series]) -> figure:
    """Draw latency by percentile, on HdrHistogram's axis."""
    chart = _chart(
        height=_TALL,
        x_axis_type="log",
        x_axis_label="percentile",
        y_axis_label="seconds",
        y_range=DataRange1d(start=0),
    )
    furthest = 10.0
    for one in series:
        for values, dash, label in (
            ([each.latency for each in _assigned(one)], "solid", ""),
            ([each.service_time for each in _assigned(one)], "dotted", " service time"),
        ):
            points = list(curve(sorted(values)))
            rights = [point.one_in or float(max(len(values), 2)) for point in points]
            furthest = max(furthest, *rights, 10.0)
            _line(
                chart,
                one,
                dash=dash,
                hover=not label,
                x=rights,
                y=[point.value for point in points],
                text=[
                    f"{float(point.percent):.7g} %: {units.duration(point.value)}{label}"
                    for point in points
                ],
            )

    _percentile_axis(chart, furthest)
    return chart


def _percentile_axis(chart: figure, furthest: float) -> None:
    names = ["0", "50", "90", "99", "99.9", "99.99", "99.999"]
    ticks = {float(100 / (100 - Fraction(name))): name for name in names}
    chart.xaxis.ticker = FixedTicker(ticks=[at for at in ticks if at <= furthest * 1.01])
    chart.xaxis.major_label_overrides = {at: f"{name} %" for at, name in ticks.items()}
    chart.xaxis.major_label_policy = NoOverlap()


def timeline_charts(series: Sequence[Series]) -> dict[str, figure]:
    """Draw throughput, devices in flight and latency over time, with one x axis."""
    width = slot_width(
        max((sample.finished for one in series for sample in one.samples), default=0.0)
    )
    slots = [(one, timeline(one.samples, width=width)) for one in series]
    throughput = _chart(height=_TALL - 60, y_axis_label="devices per second")
    flight = _chart(height=_LOW, y_axis_label="in flight", x_range=throughput.x_range)
    latency = _chart(
        height=_TALL - 60,
        x_axis_label="seconds since the start",
        y_axis_label="latency, seconds",
        y_range=DataRange1d(start=0),
        x_range=throughput.x_range,
    )
    for one, each in slots:
        if one.facts["offered_rate"] is not None:  # a burst would dwarf all other rates
            _over_time(throughput, one, each, lambda slot: slot.arrivals, "arrive", dash="dotted")

        _over_time(throughput, one, each, lambda slot: slot.assigned, "assigned")
        if any(slot.failed for slot in each):
            failed = replace(one, colour=_FAILED)
            _over_time(throughput, failed, each, lambda slot: slot.failed, "fail")

        _over_time(flight, one, each, lambda slot: slot.in_flight, "in flight", filled=True)
        _over_time(latency, one, each, lambda slot: slot.p50, "p50", seconds=True)
        _over_time(latency, one, each, lambda slot: slot.p99, "p99", seconds=True, dash="dashed")

    return {"throughput": throughput, "flight": flight, "latency": latency}


def _over_time(
    chart: figure,
    one: Series,
    slots: Sequence[Slot],
    value: Callable[[Slot], float | None],
    label: str,
    *,
    dash: str = "solid",
    filled: bool = False,
    seconds: bool = False,
) -> None:
    write = units.duration if seconds else units.count
    points = [(slot.begin, figure) for slot in slots if (figure := value(slot)) is not None]
    _line(
        chart,
        one,
        dash=dash,
        filled=filled,
        hover=True,
        x=[begin for begin, _ in points],
        y=[figure for _, figure in points],
        text=[f"{begin:g} s: {write(figure)} {label}" for begin, figure in points],
    )


def phase_charts(series: Sequence[Series]) -> dict[str, figure]:
    """Draw the parts of the mean latency, with and without the waits before polls."""
    charts = {"phases": _bars(series, PARTS, "mean seconds per device")}
    waits = {"wait", "poll_floor"}
    if any(parts(one.facts).get(name) for one in series for name in waits):
        rest = [name for name in PARTS if name not in waits]
        charts["work"] = _bars(series, rest, "the same without the waits before polls")

    return charts


def _bars(series: Sequence[Series], names: Iterable[str], title: str) -> figure:
    labels = [one.label for one in series]
    chart = _chart(
        height=80 + 56 * len(labels),
        y_range=labels[::-1],
        x_range=DataRange1d(start=0),
        x_axis_label=title,
    )
    left = [0.0] * len(labels)
    for name in names:
        label, colour = PARTS[name]
        seconds = [parts(one.facts).get(name, 0.0) for one in series]
        if not any(seconds):
            continue

        right = [begin + max(took, 0.0) for begin, took in zip(left, seconds, strict=True)]
        text = [f"{label}: {units.duration(took)}" for took in seconds]
        chart.hbar(
            y="y",
            left="left",
            right="right",
            height=0.62,
            source=ColumnDataSource({"y": labels, "left": left, "right": right, "text": text}),
            color=colour,
            line_color=None,
        )
        left = right

    chart.add_tools(HoverTool(tooltips=_TOOLTIP, attachment="above"))
    chart.ygrid.visible = False
    return chart


def _assigned(one: Series) -> list[Sample]:
    return [sample for sample in one.samples if sample.outcome is Outcome.ASSIGNED]


def _chart(**options: Any) -> figure:
    """Return an empty chart that is as wide as the page and does not capture touch or wheel."""
    chart = figure(sizing_mode="stretch_width", tools="", toolbar_location=None, **options)
    chart.outline_line_color = None
    chart.grid.grid_line_dash = [2, 4]
    chart.axis.axis_line_color = None
    chart.axis.minor_tick_line_color = None
    chart.axis.axis_label_text_font_style = "normal"
    chart.min_border_left = 64
    return chart


def _line(
    chart: figure,
    one: Series,
    *,
    x: list[float],
    y: list[float],
    text: list[str],
    dash: str,
    hover: bool,
    filled: bool = False,
) -> None:
    source = ColumnDataSource({"x": x, "y": y, "text": [f"{one.label} {each}" for each in text]})
    if filled:
        chart.varea(x="x", y1=0, y2="y", source=source, fill_color=one.colour, fill_alpha=0.15)

    line = chart.line(
        x="x", y="y", source=source, line_color=one.colour, line_width=2, line_dash=dash
    )
    if hover:
        tool = HoverTool(renderers=[line], mode="vline", tooltips=_TOOLTIP)
        tool.line_policy = "nearest"
        chart.add_tools(tool)
