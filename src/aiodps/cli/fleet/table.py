"""Tables of summaries and comparisons for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import rich.box
from rich.table import Table
from rich.text import Text

from aiodps.cli.output import out
from aiodps.fleet.report import units
from aiodps.fleet.report.compare import Comparison, Verdict
from aiodps.fleet.report.summary import LATENCIES, Summary, pick

_Format = Callable[[Any], str]


def show_summary(summary: Summary) -> None:
    """Show outcomes, rates, latencies, waits, requests and errors of a run."""
    for caution in summary.get("cautions", ()):
        out.print(Text(caution, "bold yellow"))

    transports = summary["transports"]
    table = _table("", *transports)
    for index, section in enumerate(_SECTIONS):
        if index:
            table.add_section()

        for label, (path, format_value) in section.items():
            cells = [format_value(pick(facts, path)) for facts in transports.values()]
            style = "bold red" if label == "failed" and any(_failed(transports)) else ""
            table.add_row(label, *cells, style=style)

    out.print(table)
    _show_errors(summary)
    generator = summary["generator"]
    if generator["limited"]:
        out.print(Text(f"generator-limited: {'; '.join(generator['why'])}", "bold yellow"))


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
    for result in summary["thresholds"]:
        value = units.BY_UNIT[result["unit"]](result["value"])
        outcome = Text("passed", "green") if result["passed"] else Text("missed", "bold red")
        reason = f": {result['reason']}" if result["reason"] else ""
        table.add_row(result["threshold"], result["of"], value, outcome.append(reason))

    out.print(table)


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

_SECTIONS: Final[tuple[Mapping[str, tuple[str, _Format]], ...]] = (
    {name: (name, units.count) for name in ("devices", "assigned", "failed", "interrupted")},
    {
        "offered": ("offered_rate", units.rate),
        "achieved": ("achieved_rate", units.rate),
    },
    {f"latency {name}": (f"latency/{name}", units.duration) for name in LATENCIES},
    {
        "service time p50": ("service_time/p50", units.duration),
        "service time p99": ("service_time/p99", units.duration),
        "requested wait, mean": ("waited/requested/mean", units.duration),
        "own wait between polls, mean": ("phases/poll_floor/mean", units.duration),
        "lost to backoff, mean": ("waited/backoff/mean", units.duration),
        "started late, mean": ("waited/start_lag/mean", units.duration),
    },
    {
        "register requests": ("register_requests", units.count),
        **{name: (name, units.count) for name in ("polls", "throttled", "retries")},
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
