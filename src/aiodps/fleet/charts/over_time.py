"""Lines over time, in steps: each step is one slot of time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from aiodps.fleet.charts.lines import Line
from aiodps.fleet.charts.series import Series
from aiodps.fleet.export.timeline import Slot
from aiodps.fleet.measure import units

_FAILED: Final = "#d0453e"


def timeline_lines(series: Iterable[Series]) -> dict[str, list[Line]]:
    """Return throughput, devices in flight and latency over time."""
    lines: dict[str, list[Line]] = {"throughput": [], "flight": [], "latency": []}
    for one in series:
        lines["throughput"] += _throughput(one)
        flight = _steps(one, lambda slot: slot.in_flight, units.count, "in flight")
        lines["flight"].append(replace(flight, filled=True))
        p50 = _steps(one, lambda slot: slot.p50, units.duration, "p50")
        p99 = _steps(one, lambda slot: slot.p99, units.duration, "p99")
        lines["latency"] += [p50, replace(p99, dash="dashed")]

    return lines


def pauses_of(series: Iterable[Series]) -> list[tuple[float, float]]:
    """Return the pauses of the run between slots, in seconds of the run."""
    return sorted(
        {
            (before.end, after.begin)
            for one in series
            for before, after in itertools.pairwise(one.slots)
            if after.begin > before.end
        }
    )


def _throughput(one: Series) -> Iterator[Line]:
    if one.facts["offered_rate"] is not None:  # the rate of a burst would hide all others
        arrivals = _steps(one, lambda slot: slot.arrivals, units.rate, "arrive")
        yield replace(arrivals, dash="dotted")

    yield _steps(one, lambda slot: slot.assigned, units.rate, "assigned")
    if any(slot.failed for slot in one.slots):
        failed = _steps(one, lambda slot: slot.failed, units.rate, "fail")
        yield replace(failed, colour=_FAILED)


def _steps(
    one: Series,
    value: Callable[[Slot], float | None],
    write: Callable[[float | None], str],
    label: str,
) -> Line:
    """Return a line that is level in each slot, and interrupted where there is no value."""
    points: list[tuple[float, float, str]] = []
    reached = one.slots[0].begin if one.slots else 0.0
    for slot in one.slots:
        figure = value(slot)
        if slot.begin > reached:
            points += [(reached, math.nan, ""), (slot.begin, math.nan, "")]

        if figure is None:
            points.append((slot.begin, math.nan, ""))
        else:
            span = f"{slot.begin:.4g} to {slot.end:.4g} s"
            text = f"{one.label} {span}: {write(figure)} {label}"
            points += [(slot.begin, figure, text), (slot.end, figure, text)]

        reached = slot.end

    x, y, text_of = zip(*points, strict=True) if points else ((), (), ())
    return Line(colour=one.colour, x=list(x), y=list(y), text=list(text_of))
