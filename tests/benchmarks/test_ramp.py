"""The ramp curve: a row for each slot of time, as CSV and as a picture."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.benchmarks.test_scale_figures import look
from tests.fleet.samples import sample

ramp = pytest.importorskip("benchmarks.ramp", reason="not in a source distribution")

SAMPLES = [sample(started=at, intended=at, finished=at + 0.4) for at in (0.0, 0.1, 0.6)]
LOOKS = [look(100.0, 0.0, 10**6), look(101.0, 0.5, 2 * 10**6), look(102.0, 1.5, 3 * 10**6)]


def test_rows() -> None:
    """Devices are added up, and each slot has the memory and the cores of its time."""
    first, second, third = ramp.ramp(SAMPLES, LOOKS, started=100.5)

    assert (first["assigned"], second["assigned"], third["assigned"]) == (1, 2, 3)
    assert (first["devices_per_second"], first["in_flight"]) == (2, 2)
    assert (first["all_mb"], first["emulator_cores"]) == (6, 0.5)
    assert (third["all_mb"], third["shards_cores"]) == (9, 1.0)


def test_files(tmp_path: Path) -> None:
    """The table has every column; the picture is XML with a line for each."""
    rows = ramp.ramp(SAMPLES, LOOKS, started=100.0)
    ramp.write_ramp(rows, tmp_path / "a", title="3 < 4 devices")

    with (tmp_path / "a.csv").open() as file:
        assert [row["assigned"] for row in csv.DictReader(file)] == ["1", "2", "3"]

    picture = ET.fromstring((tmp_path / "a.svg").read_text())  # noqa: S314 (our own)
    name = "{http://www.w3.org/2000/svg}"
    assert picture.findtext(f"{name}title") == "3 < 4 devices"
    assert len(picture.findall(f"{name}polyline")) == 8
