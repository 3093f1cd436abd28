"""Markdown: a run on the page of a CI job, such as GitHub's `$GITHUB_STEP_SUMMARY`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aiodps.fleet.measure import units
from aiodps.fleet.report.summary import LATENCIES, Summary, pick
from aiodps.fleet.report.verdict import RunVerdict

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|&~-])")
_FIGURES: Final[Mapping[str, tuple[str, Callable[[float | None], str]]]] = {
    "devices": ("devices", units.count),
    "assigned": ("assigned", units.count),
    "failed": ("failed", units.count),
    "offered": ("offered_rate", units.rate),
    "achieved": ("achieved_rate", units.rate),
    **{f"latency {name}": (f"latency/{name}", units.duration) for name in LATENCIES},
    "register requests": ("register_requests", units.count),
    "throttled": ("throttled", units.count),
}


def append_markdown(path: Path, summary: Summary, *, name: str) -> None:
    """Append a run to a file, which is created if it does not exist.

    Raises:
        OSError: the file could not be written.
    """
    with path.open("a", encoding="utf-8") as file:
        file.write(markdown(summary, name=name))


def markdown(summary: Summary, *, name: str) -> str:
    """Return verdict, thresholds and figures of a run as GitHub Flavored Markdown."""
    return "\n".join(_lines(summary, name)) + "\n\n"


def _lines(summary: Summary, name: str) -> Iterator[str]:
    verdict = RunVerdict(**summary["verdict"])
    said = f": {_escape(verdict.sentence)}" if verdict.sentence else ""
    results = summary["thresholds"]
    yield f"### aiodps fleet: {_escape(name)}"
    yield ""
    yield f"**{_escape(verdict.lead)}**{said}"
    yield ""
    if results:
        rows = [_threshold_row(result) for result in results]
        yield from _table(["threshold", "of", "value", "result"], rows)
        yield ""

    yield from (f"> {_escape(line)}\n" for line in summary.get("cautions", ()))
    transports = summary["transports"]
    figures = [
        [label, *(write(pick(facts, path)) for facts in transports.values())]
        for label, (path, write) in _FIGURES.items()
    ]
    yield from _table(["", *transports], figures if transports else [])
    yield ""
    yield f"{_escape(summary['arrivals'])}; {units.duration(summary['duration'])}"
    yield ""
    yield _code(summary["command"])


def _threshold_row(result: Mapping[str, Any]) -> list[str]:
    value = units.BY_UNIT[result["unit"]](result["value"])
    outcome = "passed" if result["passed"] else "**missed**"
    reason = f": {_escape(result['reason'])}" if result["reason"] else ""
    return [_escape(result["threshold"]), result["of"], value, outcome + reason]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---", *["---:"] * (len(head) - 1)], *rows):
        yield f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """Return text as code, between more backticks than it has in a row."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {' '.join(text.split())} {fence}"
