"""Summaries and comparisons as tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import rich.box
from rich.table import Table
from rich.text import Text

from aiodps.cli.output import out
from aiodps.fleet.report import units
from aiodps.fleet.report.compare import Comparison, Row
from aiodps.fleet.report.summary import Summary, pick

_Write = Callable[[Any], str]


def show_summary(summary: Summary) -> None:
    """Show how a run went: outcomes, latencies, where the time went, requests, errors."""
    transports = summary["transports"]
    table = _table("", *transports)
    for index, section in enumerate(_SECTIONS):
        if index:
            table.add_section()

        for label, (path, write) in section.items():
            cells = [write(pick(facts, path)) for facts in transports.values()]
            style = "bold red" if label == "failed" and any(_failed(transports)) else ""
            table.add_row(label, *cells, style=style)

    out.print(table)
    _show_errors(summary)
    generator = summary["generator"]
    if generator["limited"]:
        out.print(Text(f"generator-limited: {'; '.join(generator['why'])}", "bold yellow"))


def show_comparison(comparison: Comparison) -> None:
    """Show two sides and their ratios."""
    table = _table("", comparison.left, comparison.right, "ratio")
    for row in comparison.rows:
        write = units.BY_UNIT[row.unit]
        table.add_row(row.name, write(row.left), write(row.right), _ratio(row))

    out.print(table)


_SECTIONS: Final[tuple[Mapping[str, tuple[str, _Write]], ...]] = (
    {name: (name, units.count) for name in ("devices", "assigned", "failed", "interrupted")},
    {
        "offered": ("offered_rate", units.rate),
        "achieved": ("achieved_rate", units.rate),
    },
    {
        f"latency {name}": (f"latency/{name}", units.duration)
        for name in ("p50", "p75", "p90", "p95", "p99", "p99.9", "max")
    },
    {
        "service time p50": ("service_time/p50", units.duration),
        "service time p99": ("service_time/p99", units.duration),
        "told to wait, mean": ("waited/asked/mean", units.duration),
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


def _ratio(row: Row) -> Text:
    """Write a ratio; more of anything but rate and devices is worse, when it is by a tenth."""
    text = units.ratio(row.ratio)
    if row.ratio is None or row.name == "devices":
        return Text(text)

    change = 1 / row.ratio if row.unit == "/s" and row.ratio else row.ratio
    return Text(text, "red" if change > 1.1 else "green" if change < 1 / 1.1 else "")  # noqa: PLR2004


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
