"""The timeline for other tools says what the charts say."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.fleet.samples import sample

from aiodps.fleet.export.timeline import timeline
from aiodps.fleet.export.timeline_files import write_timeline

SAMPLES = [
    sample(transport=name, intended=n / 4, started=n / 4, finished=n / 4 + 3)
    for n in range(40)
    for name in ("mqtt", "rest")
]


def test_each_transport_and_all(tmp_path: Path) -> None:
    """Rows of the same slots; both files agree."""
    write_timeline(tmp_path, SAMPLES)
    written = json.loads((tmp_path / "timeline.json").read_text())
    with (tmp_path / "timeline.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    of_all = [slot for slot in written["slots"] if slot.pop("transport") == "all"]
    assert written["width"] == 0.5
    assert of_all == [asdict(slot) for slot in timeline(SAMPLES, width=0.5)]
    assert {row["transport"] for row in rows} == {"mqtt", "rest", "all"}
    assert len(rows) == len(written["slots"])
    assert sum(float(row["assigned"]) * 0.5 for row in rows) == pytest.approx(160)
    assert rows[0]["p50"] == ""


def test_one_transport_is_all(tmp_path: Path) -> None:
    """It is not written twice; and of nothing there are files too."""
    write_timeline(tmp_path, SAMPLES[::2])
    slots = json.loads((tmp_path / "timeline.json").read_text())["slots"]
    assert {slot["transport"] for slot in slots} == {"mqtt"}

    write_timeline(tmp_path, [])
    assert json.loads((tmp_path / "timeline.json").read_text())["slots"] == []
    assert (tmp_path / "timeline.csv").read_text().count("\n") == 1
