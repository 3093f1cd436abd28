"""Tables of summaries and comparisons for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, assert_never

import rich.box
from rich.table import Table
from rich.text import Text

from aiodps.cli.output import out
from aiodps.fleet.capacity import Capacity, End
from aiodps.fleet.measure import units
from aiodps.fleet.report.cautions import cautions
from aiodps.fleet.report.compare import Comparison, Verdict
from aiodps.fleet.report.summary import LATENCIES, PERCENTILES, Summary, pick
from aiodps.fleet.report.verdict import Kind, RunVerdict

_Cell: TypeAlias = Callable[[Summary], str]
"""Formats a figure of one transport."""
_Section: TypeAlias = Mapping[str, _Cell]
_MAX_HUBS: Final = 10
"""Hubs with the most devices that are shown; `summary.json` has all."""


def show_summary(summary: Summary) -> None:
    """Show verdict, cautions, outcomes, rates, latencies, waits, requests and errors of a run."""
    out.print(_verdict(RunVerdict(**summary["verdict"])))
    for line in cautions(summary):
        out.print(Text(f"caution: {line}", "bold yellow"))

    transports = summary["transports"]
    table = _table("", *transports)
    for section in (*_SECTIONS, _hubs(transports)):
        for label, cell in section.items():
            cells = [cell(facts) for facts in transports.values()]
            style = "bold red" if label == "failed" and any(_failed(transports)) else ""
            if label not in _OPTIONAL or {*cells} != {units.NO_VALUE}:
                table.add_row(label, *cells, style=style)

        table.add_section()

    out.print(table)
    _show_errors(summary)


def _verdict(verdict: RunVerdict) -> Text:
    lead = (verdict.lead, _KIND_STYLES[verdict.kind])
    return Text.assemble(lead, f": {verdict.sentence}" if verdict.sentence else "")


_KIND_STYLES: Final[Mapping[Kind, str]] = {
    "good": "bold green",
    "warn": "bold yellow",
    "bad": "bold red",
}


def show_evaluation(summary: Summary) -> None:
    """Show calibration, window and thresholds: how exact, of what, and whether good enough."""
    for line in (summary["calibration"] or {"sentences": ()})["sentences"]:
        out.print(Text(line))

    window = summary["window"]
    if window is not None:
        begin, end = (units.duration(window[name]) for name in ("from", "to"))
        out.print(
            f"figures of {begin} to {end}: {window['warm_up']:,} devices of the warm-up and "
            f"{window['cool_down']:,} of the cool-down are left out, {window['failed']:,} failed"
        )

    if not summary["thresholds"]:
        return

    table = _table("threshold", "of", "value", "result")
    table.columns[-1].no_wrap = False  # reasons may be long
    for result in summary["thresholds"]:
        value = units.BY_UNIT[result["unit"]](result["value"])
        outcome = Text("passed", "green") if result["passed"] else Text("missed", "bold red")
        table.add_row(result["threshold"], result["of"], value, outcome)

    out.print(table)
    for result in summary["thresholds"]:
        if result["reason"]:
            out.print(Text(f"{result['threshold']} ({result['of']}): {result['reason']}"))


def show_capacity(found: Capacity) -> None:
    """Show the steps of a search, and what they say about the service."""
    table = _table("rate", "devices", "achieved", "p50", "p99", "result")
    for step in found.steps:
        table.add_row(
            units.rate(step.rate),
            units.count(step.devices),
            units.rate(step.achieved_rate),
            units.duration(step.p50),
            units.duration(step.p99),
            str(step.outcome),
        )

    out.print(table)
    for step in found.steps:
        if step.reasons:
            out.print(Text(f"{units.rate(step.rate)} {step.outcome}: {'; '.join(step.reasons)}"))

    out.print(Text(_sentence(found), "bold"))


def _sentence(found: Capacity) -> str:
    kept = "no rate" if found.rate is None else f"{found.rate:g}/s"
    more = "and the service may do more"
    match found.end:
        case End.FOUND:
            return f"{kept} meets the thresholds, {found.bound:g}/s does not"
        case End.RANGE:
            return f"{kept} meets the thresholds, the highest rate of the search, {more}"
        case End.LOWEST:
            return f"even the lowest rate, {found.bound:g}/s, misses a threshold"
        case End.GENERATOR:
            unknown = "what the service can do is not known"
            known = unknown if found.rate is None else f"{kept} meets the thresholds, {more}"
            return f"limited by the generator at {found.bound:g}/s: {known}"
        case End.DEVICES:
            return f"too few devices for another step: {kept} meets the thresholds so far"
        case End.STOPPED:
            return f"stopped: {kept} meets the thresholds so far"
        case _:
            assert_never(found.end)


def show_comparison(comparison: Comparison) -> None:
    """Show the figures of two sides, their ratios, and the verdicts."""
    table = _table("", comparison.left, comparison.right, "ratio", "interval", "verdict")
    for column, width in zip(table.columns, (13, 8, 8), strict=False):
        # Long names are folded, so that 80 columns are enough.
        column.no_wrap, column.overflow, column.min_width = False, "fold", width
        column.max_width = max(width, 10)

    for row in comparison.rows:
        format_value = units.BY_UNIT[row.unit]
        verdict = units.NO_VALUE if row.verdict is None else str(row.verdict)
        table.add_row(
            row.name,
            format_value(row.left),
            format_value(row.right),
            units.ratio(row.ratio),
            units.interval(row.interval),
            Text(verdict, _VERDICT_STYLES.get(row.verdict, "dim")),
        )

    out.print(table)
    out.print(Text(comparison.basis, "dim"))


_VERDICT_STYLES: Final[Mapping[Verdict | None, str]] = {
    Verdict.BETTER: "green",
    Verdict.WORSE: "red",
    Verdict.NO_DIFFERENCE: "",
}


def _figure(path: str, write: Callable[[Any], str]) -> _Cell:
    return lambda facts: write(pick(facts, path))


def _statistic(distribution: str, name: str) -> _Cell:
    return lambda facts: units.statistic(facts[distribution], name)


def _of_all(name: str) -> _Cell:
    """Format a percentile of all that began; nothing if all were assigned."""
    return lambda facts: (
        units.statistic(facts["latency_of_all"], name)
        if facts["latency_of_all"]["never"]
        else units.NO_VALUE
    )


def _hubs(transports: Mapping[str, Summary]) -> _Section:
    """Return the number of devices for each of the largest hubs."""
    hubs = sum((Counter(facts["hubs"]) for facts in transports.values()), Counter[str]())
    return {hub: _devices_of(hub) for hub, _ in hubs.most_common(_MAX_HUBS)}


def _devices_of(hub: str) -> _Cell:
    return lambda facts: units.count(facts["hubs"].get(hub, 0))


_ALL: Final[_Section] = {f"of all, {name}": _of_all(name) for name in PERCENTILES}
_FAILURES: Final[_Section] = {
    f"time to failure {name}": _statistic("time_to_failure", name) for name in ("p50", "max")
}
_OPTIONAL: Final = {*_ALL, *_FAILURES}
"""Rows that are left out if no device failed or was interrupted."""
_SECTIONS: Final[tuple[_Section, ...]] = (
    {
        name: _figure(name, units.count)
        for name in ("devices", "assigned", "failed", "interrupted")
    },
    {
        "offered": _figure("offered_rate", units.rate),
        "achieved": _figure("achieved_rate", units.rate),
        "drained in": _figure("drain_time", units.duration),
    },
    {f"latency {name}": _statistic("latency", name) for name in LATENCIES},
    {**_ALL, **_FAILURES},
    {
        "service time p50": _statistic("service_time", "p50"),
        "service time p99": _statistic("service_time", "p99"),
        "requested wait, mean": _figure("waited/requested/mean", units.duration),
        "own wait between polls, mean": _figure("phases/poll_floor/mean", units.duration),
        "lost to backoff, mean": _figure("waited/backoff/mean", units.duration),
        "started late, mean": _figure("waited/start_lag/mean", units.duration),
    },
    {
        "register requests": _figure("register_requests", units.count),
        **{name: _figure(name, units.count) for name in ("polls", "throttled", "retries")},
    },
)


def _table(*columns: str) -> Table:
    table = Table(box=rich.box.SIMPLE, padding=(0, 1, 0, 0))
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)

    return table


def _failed(transports: Mapping[str, Summary]) -> list[int]:
    return [facts["failed"] for facts in transports.values()]


def _show_errors(summary: Summary) -> None:
    for row in summary["errors"]:
        example = row["example"]
        code = f" {row['code']}" if row["code"] is not None else ""
        tracking = f", tracking id {example['tracking_id']}" if example["tracking_id"] else ""
        out.print(
            Text.assemble(
                (f"{row['count']:,} x {row['class']}{code}: ", "red"),
                f"{example['message']} ({example['registration_id']}{tracking}; "
                f"first {units.duration(row['first_seen'])}, "
                f"last {units.duration(row['last_seen'])})",
            )
        )
