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


LEAST: Final = 20
"""Calls of a package that is listed by itself."""


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


def calls_table(calls: Mapping[str, Mapping[str, float]]) -> str:
    """Format calls by package, of each client or kind of connection, as Markdown."""
    listed = _packages(calls)
    lines = [f"| package | {' | '.join(calls)} |", f"| --- |{' --: |' * len(calls)}"]
    for name in listed:
        cells = (f"{own.get(name, 0):,.0f}" for own in calls.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")

    rest = (sum(n for name, n in own.items() if name not in listed) for own in calls.values())
    lines.append(f"| all others | {' | '.join(f'{each:,.0f}' for each in rest)} |")
    return "\n".join(lines)


def emulator_table(calls: Mapping[str, Mapping[str, float]]) -> str:
    """Format the emulator's calls for each kind of connection, with their sums."""
    if not calls:
        return "Not counted yet: `python -m benchmarks.costs --record WHY` takes some minutes."

    sums = (f"**{sum(own.values()):,.0f}**" for own in calls.values())
    return f"{calls_table(calls)}\n| **all** | {' | '.join(sums)} |"


def _packages(calls: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Name the packages that make calls worth a line with any client, most first."""
    most: dict[str, float] = {}
    for own in calls.values():
        for name, count in own.items():
            most[name] = max(count, most.get(name, 0))

    return [name for name in sorted(most, key=lambda name: -most[name]) if most[name] >= LEAST]


def _cells(own: Mapping[str, float], base: Mapping[str, float] | None) -> Iterator[str]:
    for name, (_, form) in _COLUMNS.items():
        ratio = f" ({own[name] / base[name]:.2f}x)" if base else ""
        yield form.format(own[name]) + ratio
