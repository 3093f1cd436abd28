"""The charts of the report, drawn with Bokeh.

Axes and grids take their colours from CSS, so that one chart fits both colour schemes; the
colours of lines and bars are legible in both. Nothing needs `eval`, so the page can forbid it.
The page labels the x axes: Bokeh would leave a part of such a label at the left edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Final

from bokeh.model import Model
from bokeh.models import (
    ColumnDataSource,
    DataRange1d,
    FixedTicker,
    HoverTool,
    NoOverlap,
    Range1d,
)
from bokeh.models.annotations import BoxAnnotation
from bokeh.plotting import figure

from aiodps.fleet.charts.bins import round_up
from aiodps.fleet.charts.lines import (
    Bars,
    Columns,
    Line,
    histogram_columns,
    percentile_lines,
    phase_bars,
)
from aiodps.fleet.charts.over_time import pauses_of, timeline_lines
from aiodps.fleet.charts.series import Series

_TOOLTIP: Final = "<div>@text</div>"
"""Bokeh escapes the text."""

_TALL: Final = 300
_LOW: Final = 180
_PAUSE: Final = "#8a94a3"


def draw(series: Sequence[Series], *, far: bool) -> dict[str, Model]:
    """Draw all charts, by name.

    Args:
        series: What is drawn.
        far: Whether the histogram has a logarithmic axis.
    """
    return {
        "histogram": histogram_chart(series, far=far),
        "percentiles": percentile_chart(series),
        **timeline_charts(series),
        **phase_charts(series),
    }


def histogram_chart(series: Sequence[Series], *, far: bool) -> figure:
    """Draw how many devices took how long."""
    columns = histogram_columns(series)
    chart = _chart(
        height=_TALL - 60,
        x_axis_type="log" if far else "linear",
        x_range=_log_range(columns) if far else DataRange1d(range_padding=0.02),
        y_axis_label="% of devices",
        y_range=DataRange1d(start=0, range_padding=0.05),
    )
    for one in columns:
        chart.quad(
            left="left",
            right="right",
            bottom=0,
            top="top",
            source=ColumnDataSource(dict(one.data)),
            fill_color=one.colour,
            fill_alpha=0.45,
            line_color=one.colour,
        )

    chart.add_tools(HoverTool(tooltips=_TOOLTIP, attachment="above"))
    chart.xgrid.visible = False
    if far:
        _label_axis(chart, latency_ticks(columns))

    return chart


def _log_range(columns: Iterable[Columns]) -> Range1d:
    start, end = _doublings(columns)
    return Range1d(start=start, end=end)


def _doublings(columns: Iterable[Columns]) -> tuple[float, float]:
    """Return a range of whole doublings, so that it seldom changes during a run."""
    edges = [edge for one in columns for edge in (*one.left, *one.right)] or [0.1, 1.0]
    low, high = math.floor(math.log2(min(edges))), math.ceil(math.log2(max(edges)))
    return 2.0**low, 2.0 ** max(high, low + 1)


def latency_ticks(columns: Iterable[Columns]) -> dict[float, str]:
    """Return the ticks of a logarithmic axis of latencies, with their labels."""
    start, end = _doublings(columns)
    if end / start > 4:  # noqa: PLR2004 (1, 2 and 5 are three of them then)
        ticks = [step * 10.0**power for power in range(-4, 6) for step in (1, 2, 5)]
    else:
        step = round_up((end - start) / 6)
        ticks = [step * at for at in range(1, math.ceil(end / step) + 1)]

    return {at: f"{at:.3g}" for at in ticks if start <= at <= end}


def percentile_chart(series: Sequence[Series]) -> figure:
    """Draw latency by percentile, on HdrHistogram's axis."""
    lines = percentile_lines(series)
    ticks = percentile_ticks(lines)
    chart = _chart(
        height=_TALL,
        x_axis_type="log",
        x_range=DataRange1d(start=1, range_padding=0.01),
        y_axis_label="seconds",
        y_range=DataRange1d(start=0),
    )
    _draw(chart, lines)
    _label_axis(chart, ticks)
    return chart


def percentile_ticks(lines: Iterable[Line]) -> dict[float, str]:
    """Return the ticks of the percentile axis, with their labels."""
    names = ["0", "50", "90", "99", "99.9", "99.99", "99.999"]
    furthest = _furthest(lines)
    ticks = {float(100 / (100 - Fraction(name))): f"{name} %" for name in names}
    return {at: label for at, label in ticks.items() if at <= max(furthest, 10.0) * 1.01}


def _furthest(lines: Iterable[Line]) -> float:
    return max((right for line in lines for right in line.x), default=0.0)


def _label_axis(chart: figure, ticks: dict[float, str]) -> None:
    chart.xaxis.ticker = FixedTicker(ticks=list(ticks))
    chart.xaxis.major_label_overrides = dict(ticks.items())
    chart.xaxis.major_label_policy = NoOverlap()


def timeline_charts(series: Sequence[Series]) -> dict[str, figure]:
    """Draw throughput, devices in flight and latency over time, with one x axis."""
    throughput = _chart(
        height=_TALL - 60,
        y_axis_label="devices per second",
        x_range=DataRange1d(range_padding=0.01),
        y_range=DataRange1d(start=0),
    )
    flight = _chart(
        height=_LOW,
        y_axis_label="in flight",
        x_range=throughput.x_range,
        y_range=DataRange1d(start=0),
    )
    latency = _chart(
        height=_TALL - 60,
        y_axis_label="latency, seconds",
        y_range=DataRange1d(start=0),
        x_range=throughput.x_range,
    )
    drawn = {"throughput": throughput, "flight": flight, "latency": latency}
    for name, lines in timeline_lines(series).items():
        _draw(drawn[name], lines)
        for begin, end in pauses_of(series):
            band = BoxAnnotation(left=begin, right=end, fill_color=_PAUSE, fill_alpha=0.18)
            drawn[name].add_layout(band)

    return drawn


def phase_charts(series: Sequence[Series]) -> dict[str, figure]:
    """Draw the parts of the mean latency, with and without the wait that the service asked for."""
    labels = [one.label for one in series]
    return {name: _bars(bars, labels) for name, bars in phase_bars(series).items()}


def _bars(parts: Iterable[Bars], labels: Sequence[str]) -> figure:
    chart = _chart(
        height=44 + 52 * len(labels),
        y_range=labels[::-1],
        x_range=DataRange1d(start=0, range_padding=0.02),
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
    chart.min_border_right = 16
    return chart


def _draw(chart: figure, lines: Iterable[Line]) -> None:
    for line in lines:
        source = ColumnDataSource(dict(line.data))
        if line.filled:
            chart.varea(
                x="x", y1=0, y2="area", source=source, fill_color=line.colour, fill_alpha=0.15
            )

        drawn = chart.line(x="x", y="y", source=source, line_color=line.colour, line_width=2)
        drawn.glyph.line_dash = line.dash
        if line.hover:
            tool = HoverTool(renderers=[drawn], mode="vline", tooltips=_TOOLTIP)
            tool.line_policy = "nearest"
            chart.add_tools(tool)
