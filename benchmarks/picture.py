"""A table as a picture: a bar for the median of each client, and a line from least to most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from benchmarks.plans import Plan
from benchmarks.table import FIGURES, Row, Table, written

WIDTH: Final = 760
_LEFT, _RIGHT, _ROW, _HEAD, _EDGE = 220, 170, 24, 38, 14
_COLOURS: Final = {"ours": "#0b62c4", "harness": "#0b62c4", "baseline": "#8a8f98"}
_OTHERS: Final = "#c98a1b"
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}"
    ".head{font-weight:600}.label{text-anchor:end}line{stroke:#1f2328;stroke-width:1.5}"
)


def picture(plan: Plan, tables: Sequence[Table]) -> str:
    """Draw the figure by which the clients of a plan are compared; as SVG."""
    title, _ = FIGURES[plan.compared]
    drawn = [(each, [row for row in each.rows if plan.compared in row]) for each in tables]
    most = max((row[plan.compared][2] for _, rows in drawn for row in rows), default=1.0)
    parts: list[str] = []
    top = _EDGE
    for each, rows in drawn:
        head = f"{title}, {each.at_once} at a time"
        parts.append(f'<text class="head" x="{_EDGE}" y="{top + 16}">{escape(head)}</text>')
        top += _HEAD
        for row in rows:
            parts += _bar(row, plan.compared, top, (WIDTH - _LEFT - _RIGHT) / most)
            top += _ROW

        top += _EDGE

    words = escape(f"{plan.title}: {title}, {plan.conditions}")
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" '
        f'width="{WIDTH}" height="{top}" role="img">'
    )
    paper = f'<rect width="{WIDTH}" height="{top}" rx="6" fill="#ffffff"/>'
    lines = (opening, f"<title>{words}</title>", f"<style>{_STYLE}</style>", paper, *parts)
    return "\n".join((*lines, "</svg>")) + "\n"


def _bar(row: Row, figure: str, top: int, scale: float) -> Iterator[str]:
    least, median, most = (_LEFT + value * scale for value in row[figure])
    middle = top + _ROW / 2
    colour = _COLOURS.get(row["client"].partition(":")[0], _OTHERS)
    value = written(row[figure], FIGURES[figure][1])
    yield f'<text class="label" x="{_LEFT - 8}" y="{middle + 4}">{escape(row["client"])}</text>'
    yield (
        f'<rect x="{_LEFT}" y="{top + 4}" width="{median - _LEFT:.1f}" height="{_ROW - 8}" '
        f'rx="2" fill="{colour}"/>'
    )
    yield f'<line x1="{least:.1f}" x2="{most:.1f}" y1="{middle}" y2="{middle}"/>'
    yield f'<text x="{most + 8:.1f}" y="{middle + 4}">{escape(value)}</text>'
