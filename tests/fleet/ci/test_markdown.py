"""Markdown, as a CI page shows it."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt
from tests.fleet.ci.test_junit import RESULTS
from tests.fleet.report.test_thresholds import SAMPLES, summary_of

from aiodps.fleet.ci.markdown import append_markdown, markdown

NASTY = "a|b_*c*_ <img src=x> [x](y) `d`\n# e"


def cells(text: str) -> list[list[str]]:
    """Return the rows of every table, as plain text."""
    rows: list[list[str]] = []
    in_cell = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in {"td_open", "th_open"}:
            in_cell = True
        elif token.type == "inline" and in_cell:
            in_cell = False
            rows[-1].append("".join(child.content for child in token.children or ()))

    return rows


def test_thresholds_and_figures_are_tables() -> None:
    """One row a threshold, one column a transport."""
    found = cells(markdown(summary_of(SAMPLES, thresholds=RESULTS), name="nightly"))

    assert found[:4] == [
        ["threshold", "of", "value", "result"],
        ["p99>5s", "mqtt", "1.50 s", "passed"],
        ["errors>0.1%", "rest", "1.20 %", "missed"],
        ["limited", "the generator", "-", 'missed: late <by> "2 s" & \ufffd more'],
    ]
    assert ["", "mqtt", "rest"] in found
    assert ["devices", "1", "100"] in found
    assert ["latency p50", "20.0 s", "5.00 s"] in found


def test_what_others_named_is_text(tmp_path: Path) -> None:
    """It makes no cell, no link, no element; the command can be copied."""
    text = markdown(summary_of(SAMPLES, arrivals=NASTY, command="aiodps `x` ``y``"), name=NASTY)
    page = MarkdownIt("commonmark").enable("table").render(text)

    assert "<img" not in page
    assert "<a " not in page
    assert "<em>" not in page
    assert page.count("<h") == 1
    assert "<code>aiodps `x` ``y``</code>" in page


def test_it_is_appended(tmp_path: Path) -> None:
    """As a job's steps write one page together."""
    path = tmp_path / "summary.md"
    path.write_text("# Job\n\n")
    append_markdown(path, summary_of([]), name="a")
    append_markdown(path, summary_of(SAMPLES, thresholds=RESULTS[:1]), name="b")
    page = MarkdownIt("commonmark").enable("table").render(path.read_text())

    assert page.startswith("<h1>Job</h1>")
    assert page.count("<h3>aiodps fleet: ") == 2
    assert page.count("<table>") == 3
    assert page.count("<strong>Passed</strong>: 1 device_ got one.") == 2
