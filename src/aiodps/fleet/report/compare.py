"""Comparison of two runs, or of two transports of one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiodps.fleet.report.summary import LATENCIES, Summary, pick


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of both sides."""

    name: str
    unit: str
    """"s", "/s", "%" (the values are shares) or "" for none."""
    left: float | None
    right: float | None

    @property
    def ratio(self) -> float | None:
        """Right divided by left; None if a value is missing or the left one is 0."""
        return self.right / self.left if self.left and self.right is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The figures of two sides."""

    left: str
    right: str
    rows: tuple[Row, ...]


def compare_transports(summary: Summary) -> Comparison | None:
    """Compare the two transports of a run; None if it used only one."""
    transports = summary["transports"]
    if len(transports) < 2:  # noqa: PLR2004
        return None

    rest, mqtt, *_ = sorted(transports, reverse=True)
    return _comparison(rest, mqtt, transports[rest], transports[mqtt])


def compare_runs(left: Summary, right: Summary, *, names: tuple[str, str]) -> list[Comparison]:
    """Compare two runs by each transport that both used, else by the first transport of each."""
    both = sorted({*left["transports"]} & {*right["transports"]})
    pairs = [(name, name) for name in both] or list(
        zip(list(left["transports"])[:1], list(right["transports"])[:1], strict=False)
    )
    return [
        _comparison(
            f"{names[0]} {one}",
            f"{names[1]} {other}",
            left["transports"][one],
            right["transports"][other],
        )
        for one, other in pairs
    ]


def run_names(left: Path, right: Path) -> tuple[str, str]:
    """Return the names of two run folders, or their paths if the names are the same."""
    names = left.resolve().name, right.resolve().name
    return names if names[0] != names[1] else (str(left), str(right))


def cautions(summaries: Mapping[str, Summary]) -> list[str]:
    """Return the reasons why runs are not comparable; empty if there are none.

    Args:
        summaries: The summaries by name of the run.
    """
    lines = [
        f"{name} was limited by its generator: {', '.join(summary['generator']['why'])}"
        for name, summary in summaries.items()
        if summary["generator"]["limited"]
    ]
    first, *others = summaries.items()
    for other in others:
        lines.extend(_differences(first, other))

    return lines


def _differences(one: tuple[str, Summary], other: tuple[str, Summary]) -> Iterator[str]:
    (left, a), (right, b) = one, other
    facts = {"arrivals": (a["arrivals"], b["arrivals"])}
    for name in {**a["environment"], **b["environment"]}:
        facts[name] = (a["environment"].get(name), b["environment"].get(name))

    for name, (theirs, ours) in facts.items():
        if theirs != ours:
            yield f"{name} differs: {left} {theirs}, {right} {ours}"


_FIGURES: Final[Mapping[str, tuple[str, str]]] = {
    "devices": ("", "devices"),
    "failed": ("%", "failed"),
    "assigned": ("/s", "achieved_rate"),
    **{f"latency {name}": ("s", f"latency/{name}") for name in LATENCIES},
    "service time p50": ("s", "service_time/p50"),
    "requested wait, mean": ("s", "waited/requested/mean"),
    "lost to backoff, mean": ("s", "waited/backoff/mean"),
    "register requests per device": ("", "register_requests"),
    "polls per device": ("", "polls"),
    "throttled per device": ("", "throttled"),
}
"""Unit of each figure, and its path in the summary."""
_PER_DEVICE: Final = {"failed", "register_requests", "polls", "throttled"}
"""Counts that are divided by the number of devices."""


def _comparison(left: str, right: str, one: Summary, other: Summary) -> Comparison:
    rows = tuple(
        Row(name=name, unit=unit, left=_figure(one, path), right=_figure(other, path))
        for name, (unit, path) in _FIGURES.items()
    )
    return Comparison(left=left, right=right, rows=rows)


def _figure(facts: Summary, path: str) -> float | None:
    value: float | None = pick(facts, path)
    return value / facts["devices"] if path in _PER_DEVICE and value is not None else value
