"""The timeline of a run as CSV and JSON, for other tools and notebooks."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from aiodps.fleet.export.timeline import Slot, slot_width, timeline
from aiodps.fleet.measure.sample import Sample
from aiodps.fresh_files import fresh_file, write_fresh

ALL: Final = "all"
"""Stands for all transports together, if there are several."""
_SLOTS: Final = 1000
"""Most slots, about: finer than the charts."""


def write_timeline(folder: Path, samples: Sequence[Sample]) -> None:
    """Write `timeline.csv` and `timeline.json`, of all samples of a run.

    Raises:
        OSError: a file could not be written.
    """
    width = slot_width(max((one.finished for one in samples), default=0.0), slots=_SLOTS)
    names = sorted({sample.transport for sample in samples})
    series = {name: [one for one in samples if one.transport == name] for name in names}
    if len(series) > 1:
        series[ALL] = list(samples)

    rows: list[dict[str, Any]] = [
        {"transport": name, **asdict(slot)}
        for name, each in series.items()
        for slot in timeline(each, width=width)
    ]
    with fresh_file(folder / "timeline.csv") as file:
        writer = csv.DictWriter(file, ["transport", *(field.name for field in fields(Slot))])
        writer.writeheader()
        writer.writerows(rows)

    text = json.dumps({"width": width, "slots": rows}, indent=1)
    write_fresh(folder / "timeline.json", f"{text}\n")
