"""What the charts show: lines, columns and bars, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiodps.fleet.charts.series import PARTS, Series, parts
from aiodps.fleet.measure import units
from aiodps.fleet.measure.percentiles import Point

Data = Mapping[str, Sequence[object]]
"""The columns of a data source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a chart."""

    colour: str
    x: Sequence[float]
    y: Sequence[float]
    """NaN where the line is interrupted: there is nothing to show, which is not 0."""
    text: Sequence[str]
    """The tooltip of each point."""
    dash: str = "solid"
    hover: bool = True
    filled: bool = False

    @property
    def data(self) -> Data:
        """The columns of its data source; the area below is empty where the line is."""
        area = {"area": [0.0 if math.isnan(y) else y for y in self.y]} if self.filled else {}
        return {"x": self.x, "y": self.y, "text": self.text, **area}

    @property
    def look(self) -> tuple[object, ...]:
        """What data alone does not change."""
        return self.colour, self.dash


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a histogram, or the vertical lines across it."""

    colour: str
    left: Sequence[float]
    right: Sequence[float]
    top: Sequence[float]
    text: Sequence[str]

    @property
    def data(self) -> Data:
        """The columns of its data source."""
        return {"left": self.left, "right": self.right, "top": self.top, "text": self.text}

    @property
    def look(self) -> tuple[object, ...]:
        """What data alone does not change."""
        return (self.colour,)


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
    def data(self) -> Data:
        """The columns of its data source."""
        return {"y": self.y, "left": self.left, "right": self.right, "text": self.text}

    @property
    def look(self) -> tuple[object, ...]:
        """What data alone does not change."""
        return self.colour, *self.y


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


def histogram_columns(series: Iterable[Series]) -> list[Columns]:
    """Return the share of devices, in percent, by how long they took."""
    return [_columns(one) for one in series]


def _columns(one: Series) -> Columns:
    total = sum(each.count for each in one.bins)
    return Columns(
        colour=one.colour,
        left=[each.left for each in one.bins],
        right=[each.right for each in one.bins],
        top=[100 * each.count / total for each in one.bins],
        text=[
            f"{one.label} {units.duration(each.left)} to {units.duration(each.right)}: "
            f"{units.count(each.count)} device{'' if each.count == 1 else 's'}, "
            f"{units.share(each.count / total)}"
            for each in one.bins
        ],
    )


def phase_bars(series: Sequence[Series]) -> dict[str, list[Bars]]:
    """Return the parts of the mean latency, with and without the wait that was asked for."""
    bars = {"phases": list(_stacked(series, PARTS))}
    if any(parts(one.facts).get("wait") for one in series):
        bars["work"] = list(_stacked(series, [name for name in PARTS if name != "wait"]))

    return bars


_SHORTEST_BAR: Final = 1e-6
"""Seconds; a shorter bar is a rounding error: "inside aiodps" is a difference."""


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
