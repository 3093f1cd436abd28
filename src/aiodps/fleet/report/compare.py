"""Two runs, or two transports of one run, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiodps.fleet.measure.percentiles import REPORTED
from aiodps.fleet.report.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of both sides."""

    name: str
    unit: str
    """"s", "/s", "%" (the values are shares) or nothing."""
    left: float | None
    right: float | None

    @property
    def ratio(self) -> float | None:
        """Return right divided by left; None where that says nothing."""
        return self.right / self.left if self.left and self.right is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides and their figures."""

    left: str
    right: str
    rows: tuple[Row, ...]


def compare_transports(summary: Summary) -> Comparison | None:
    """Compare the two transports of a run; None if it used one."""
    transports = summary["transports"]
    if len(transports) < 2:  # noqa: PLR2004
        return None

    rest, mqtt, *_ = sorted(transports, reverse=True)
    return _comparison(rest, mqtt, transports[rest], transports[mqtt])


def compare_runs(left: Summary, right: Summary, *, names: tuple[str, str]) -> list[Comparison]:
    """Compare two runs: each transport that both used; if there is none, the first of each."""
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
    """Call two runs as their folders are called, by the whole path if these are alike."""
    names = left.resolve().name, right.resolve().name
    return names if names[0] != names[1] else (str(left), str(right))


def cautions(summaries: Mapping[str, Summary]) -> list[str]:
    """Say why figures of several runs may not be comparable; empty if nothing speaks against it.

    Args:
        summaries: By the name to call each.
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


_Figure = Callable[[Summary], float | None]


def _latency(name: str) -> _Figure:
    return lambda facts: facts["latency"] and facts["latency"][name]


def _each(name: str) -> _Figure:
    return lambda facts: facts[name] / facts["devices"]


def _wait(name: str) -> _Figure:
    return lambda facts: facts["waited"][name] and facts["waited"][name]["mean"]


_FIGURES: Final[Mapping[str, tuple[str, _Figure]]] = {
    "devices": ("", lambda facts: facts["devices"]),
    "failed": ("%", _each("failed")),
    "assigned": ("/s", lambda facts: facts["achieved_rate"]),
    **{f"latency p{name}": ("s", _latency(f"p{name}")) for name in REPORTED},
    "latency max": ("s", _latency("max")),
    "latency mean": ("s", _latency("mean")),
    "service time p50": (
        "s",
        lambda facts: facts["service_time"] and facts["service_time"]["p50"],
    ),
    "told to wait, mean": ("s", _wait("asked")),
    "lost to backoff, mean": ("s", _wait("backoff")),
    "register requests per device": ("", _each("register_requests")),
    "polls per device": ("", _each("polls")),
    "throttled per device": ("", _each("throttled")),
}
"""What is compared: unit, and how to find it."""


def _comparison(left: str, right: str, one: Summary, other: Summary) -> Comparison:
    rows = tuple(
        Row(name=name, unit=unit, left=figure(one), right=figure(other))
        for name, (unit, figure) in _FIGURES.items()
    )
    return Comparison(left=left, right=right, rows=rows)
