"""The figures of `costs.json` as a table: what a device costs in numbers, on any day the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.table import base_of

_COLUMNS: Final = {
    "calls": ("calls", "{:,.0f}"),
    "system calls": ("system calls", "{:,.0f}"),
    "instructions": ("million instructions", "{:,.2f}"),
}


def costs_table(recorded: Mapping[str, Any]) -> str:
    """Format as Markdown, with ratios to the baseline of the same protocol; and say of what."""
    titles = " | ".join(title for title, _ in _COLUMNS.values())
    lines = [f"| client | {titles} |", f"| --- |{' --: |' * len(_COLUMNS)}"]
    figures = recorded["figures"]
    for client, own in figures.items():
        cells = _cells(own, None if client == base_of(client) else figures[base_of(client)])
        lines.append(f"| {client} | {' | '.join(cells)} |")

    parts = {**recorded["programs"], **recorded["libraries"]}
    made_with = ", ".join(" ".join(each) for each in parts.items())
    return "\n".join([*lines, "", f"`nox -s costs`; {made_with}."])


def _cells(own: Mapping[str, float], base: Mapping[str, float] | None) -> Iterator[str]:
    for name, (_, form) in _COLUMNS.items():
        ratio = f" ({own[name] / base[name]:.2f}x)" if base else ""
        yield form.format(own[name]) + ratio
