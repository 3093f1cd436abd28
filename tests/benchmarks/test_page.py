"""The page about performance says what was measured, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

page = pytest.importorskip("benchmarks.page", reason="not in a source distribution")
FACTS: Final = {
    "rounds": 2,
    "seconds": 5.0,
    "left_out": [],
    "command": "python -m benchmarks.register --table main",
    "date": "2026-11-30T09:20:00+00:00",
    "commit": "abc",
    "machine": "2 cores",
    "python": "3.11.7",
    "openssl": "OpenSSL 3.0.22",
    "versions": {"httpx": "0.28.1"},
}


def row(client: str, *cpu: float) -> dict[str, Any]:
    """Make a row from least, median and most."""
    busy = {"busy": (90, 99, 100), "server_busy": (50, 60, 70)}
    return {"client": client, "rounds": 2, "against": {}, "cpu_ms": cpu, **busy}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Make a folder with one table."""
    rows = [row("baseline:rest", 2.0, 2.1, 2.5), row("ours:rest", 1.5, 1.75, 2.0)]
    tables = [{"at_once": 50, "load": 0.5, "others": 0.02, "rows": rows}]
    document = {"environment": FACTS, "tables": tables, "rounds": {}}
    (tmp_path / "main.json").write_text(json.dumps(document))
    return tmp_path


def test_the_page_is_of_the_results() -> None:
    """The committed page and pictures are those that the committed results give."""
    text = page.PAGE.read_text("utf-8")

    assert text == page.page(text), "run `python -m benchmarks.page`"
    for name, drawn in page.pictures():
        assert page.PICTURES.joinpath(name).read_text("utf-8") == drawn
        assert f"pictures/{name}" in text


def test_a_table(results: Path) -> None:
    """With date, commit, machine, load and command; what is not measured says how to."""
    text = page.page(page.PAGE.read_text("utf-8"), results)

    assert "| ours:rest | 1.75 (1.50 to 2.00) | -" in text
    assert "`python -m benchmarks.register --table main`, 2026-11-30, commit abc; 2 cores;" in text
    assert "Load before: 0.5; other processes used 0.02 cores" in text
    assert "(pictures/performance-main.svg)" in text
    assert "Not measured yet: `python -m benchmarks.register --table rsa" in text


def test_a_busy_machine() -> None:
    """What was measured anyway is a trial."""
    assert "no more than a trial" in page.made(FACTS, 1.6)
    assert "no more than a trial" not in page.made(FACTS, 1.5)


def test_a_picture(results: Path) -> None:
    """A bar to each median, as long as that is."""
    ((name, drawn),) = page.pictures(results)
    bars = [each for each in ET.fromstring(drawn) if each.get("height") == "16"]  # noqa: S314 (ours)

    assert name == "performance-main.svg"
    base, ours = (float(bar.attrib["width"]) for bar in bars)
    assert base / ours == pytest.approx(2.1 / 1.75, rel=0.01)


def test_other_benchmarks(results: Path) -> None:
    """What each has written of itself, or its figures by name; with pictures if there are any."""
    facts = {"environment": {**FACTS, "load_before": 0.1}}
    runs = [{"transport": "rest", "kb_each": 44.25, "devices": 10_000, "looks": [1]}]
    (results / "waiting.json").write_text(json.dumps({**facts, "runs": runs}))
    (results / "scale.json").write_text(json.dumps(facts))
    (results / "scale.md").write_text("a table\n")
    (results / "scale-rest.svg").touch()
    text = page.page(page.PAGE.read_text("utf-8"), results)

    assert "| transport | kb each | devices |" in text
    assert "| rest | 44.2 | 10,000 |" in text
    assert "a table\n\n![scale-rest](../benchmarks/results/scale-rest.svg)" in text


def test_a_part_is_missing() -> None:
    """It would be lost silently."""
    with pytest.raises(SystemExit, match="one part 'who'"):
        page.page("")
