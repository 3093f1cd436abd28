"""The charts of the report, drawn with Bokeh.

Axes and grids take their colours from CSS, so that one chart fits both colour schemes; the
colours of lines and bars are legible in both. Nothing needs `eval`, so the page can forbid it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Final

from bokeh.model import Model
from bokeh.models import ColumnDataSource, DataRange1d, FixedTicker, HoverTool, NoOverlap
from bokeh.plotting import figure

from aiodps.fleet.report.lines import (
    Bars,
    Line,
    Series,
    percentile_lines,
    phase_bars,
    timeline_lines,
)

_TOOLTIP: Final = "<div>@text</div>"
"""Bokeh escapes the text."""

_TALL: Final = 320
_LOW: Final = 200
_TITLES: Final = {
    "phases": "mean seconds per device",
    "work": "the same without the wait that the service asked for",
}


def draw(series: Sequence[Series]) -> dict[str, Model]:
    """Draw all charts, by name."""
    return {
        "percentiles": percentile_chart(series),
        **timeline_charts(series),
        **phase_charts(series),
    }


def percentile_chart(series: Sequence[Series]) -> figure:
    """Draw latency by percentile, on HdrHistogram's axis."""
    chart = _chart(
        height=_TALL,
        x_axis_type="log",
        x_axis_label="percentile",
        y_axis_label="seconds",
        y_range=DataRange1d(start=0),
    )
    lines = percentile_lines(series)
    _draw(chart, lines)
    _percentile_axis(chart, percentile_ticks(lines))
    return chart


def percentile_ticks(lines: Iterable[Line]) -> dict[float, str]:
    """Return the ticks of the percentile axis, with their labels."""
    names = ["0", "50", "90", "99", "99.9", "99.99", "99.999"]
    furthest = max((right for line in lines for right in line.x), default=0.0)
    ticks = {float(100 / (100 - Fraction(name))): f"{name} %" for name in names}
    return {at: label for at, label in ticks.items() if at <= max(furthest, 10.0) * 1.01}


def _percentile_axis(chart: figure, ticks: dict[float, str]) -> None:
    chart.xaxis.ticker = FixedTicker(ticks=list(ticks))
    chart.xaxis.major_label_overrides = dict(ticks.items())
    chart.xaxis.major_label_policy = NoOverlap()


def timeline_charts(series: Sequence[Series]) -> dict[str, figure]:
    """Draw throughput, devices in flight and latency over time, with one x axis."""
    throughput = _chart(height=_TALL - 60, y_axis_label="devices per second")
    flight = _chart(height=_LOW, y_axis_label="in flight", x_range=throughput.x_range)
    latency = _chart(
        height=_TALL - 60,
        x_axis_label="seconds since the start",
        y_axis_label="latency, seconds",
        y_range=DataRange1d(start=0),
        x_range=throughput.x_range,
    )
    drawn = {"throughput": throughput, "flight": flight, "latency": latency}
    for name, lines in timeline_lines(series).items():
        _draw(drawn[name], lines)

    return drawn


def phase_charts(series: Sequence[Series]) -> dict[str, figure]:
    """Draw the parts of the mean latency, with and without the wait that the service asked for."""
    labels = [one.label for one in series]
    return {name: _bars(bars, labels, _TITLES[name]) for name, bars in phase_bars(series).items()}


def _bars(parts: Iterable[Bars], labels: Sequence[str], title: str) -> figure:
    chart = _chart(
        height=80 + 56 * len(labels),
        y_range=labels[::-1],
        x_range=DataRange1d(start=0),
        x_axis_label=title,
    )
    for part in parts:
        chart.hbar(
            y="y",
            left="left",
            right="right",
            height=0.62,
            source=ColumnDataSource(dict(part.data)),
            color=part.colour,
            line_color=None,
        )

    chart.add_tools(HoverTool(tooltips=_TOOLTIP, attachment="above"))
    chart.ygrid.visible = False
    return chart


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


def _draw(chart: figure, lines: Iterable[Line]) -> None:
    for line in lines:
        source = ColumnDataSource(dict(line.data))
        if line.filled:
            chart.varea(
                x="x", y1=0, y2="y", source=source, fill_color=line.colour, fill_alpha=0.15
            )

        drawn = chart.line(x="x", y="y", source=source, line_color=line.colour, line_width=2)
        drawn.glyph.line_dash = line.dash
        if line.hover:
            tool = HoverTool(renderers=[drawn], mode="vline", tooltips=_TOOLTIP)
            tool.line_policy = "nearest"
            chart.add_tools(tool)
