"""The ramp curve of a run: devices a second, latencies, memory and cores over time."""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.chart import Panel, svg
from benchmarks.processes import ROLES, Look

from aiodps.fleet.export.timeline import slot_width, timeline
from aiodps.fleet.measure.sample import Sample

_SLOTS: Final = 400
"""Most rows, about."""


def ramp(
    samples: Sequence[Sample], looks: Sequence[Look], *, started: float
) -> list[dict[str, Any]]:
    """Return a row for each slot of time.

    Args:
        samples: Of all devices.
        looks: At the processes, oldest first, from before the start until after the end.
        started: Start of the run, in seconds since 1970.
    """
    width = slot_width(max((one.finished for one in samples), default=0.0), slots=_SLOTS)
    assigned, rows = 0.0, []
    for slot in timeline(samples, width=width):
        assigned += slot.assigned * width
        rows.append(
            {
                "second": slot.begin,
                "assigned": round(assigned),
                "devices_per_second": slot.assigned,
                "failed_per_second": slot.failed,
                "in_flight": slot.in_flight,
                "p50_seconds": slot.p50,
                "p99_seconds": slot.p99,
                **_used(looks, started + slot.begin, width),
            }
        )

    return rows


def _used(looks: Sequence[Look], begin: float, width: float) -> dict[str, float]:
    """Return memory and cores of each role in a slot, from the looks around it."""
    after = min(bisect_left(looks, begin + width, key=lambda look: look.at), len(looks) - 1)
    before = max(min(bisect_left(looks, begin, key=lambda look: look.at), after) - 1, 0)
    first, last = looks[before], looks[after]
    wall = max(last.at - first.at, 1e-3)
    memory = {f"{role}_mb": round(last.memory[role] / 1e6, 1) for role in ROLES}
    cores = {
        f"{role}_cores": round((last.cpu[role] - first.cpu[role]) / wall, 3) for role in ROLES
    }
    return {"all_mb": round(last.total_memory / 1e6, 1), **memory, **cores}


def write_ramp(rows: Sequence[Mapping[str, Any]], stem: Path, *, title: str) -> None:
    """Write the rows as `STEM.csv` and `STEM.svg`."""
    with stem.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    def lines(**names: str) -> dict[str, list[float]]:
        return {name: [row[column] or 0 for row in rows] for name, column in names.items()}

    panels = [
        Panel("devices assigned per second", lines(assigned="devices_per_second")),
        Panel("seconds per device", lines(p99="p99_seconds", p50="p50_seconds")),
        Panel("memory, MB", lines(all="all_mb", emulator="emulator_mb", shards="shards_mb")),
        Panel("cores", lines(emulator="emulator_cores", shards="shards_cores")),
    ]
    times = [row["second"] for row in rows]
    stem.with_suffix(".svg").write_text(svg(times, panels, title=title), encoding="utf-8")
