"""Summaries and comparisons as tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import rich.box
from rich.table import Table
from rich.text import Text

from aiodps.cli.output import out
from aiodps.fleet import figures
from aiodps.fleet.compare import Comparison, Row
from aiodps.fleet.summary import Summary, pick

_Write = Callable[[Any], str]


def show_summary(summary: Summary) -> None:
    """Show how a run went: books, latencies, where the time went, requests, errors."""
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
        write = figures.BY_UNIT[row.unit]
        table.add_row(row.name, write(row.left), write(row.right), _ratio(row))

    out.print(table)


_SECTIONS: Final[tuple[Mapping[str, tuple[str, _Write]], ...]] = (
    {name: (name, figures.count) for name in ("devices", "assigned", "failed", "interrupted")},
    {
        "offered": ("offered_rate", figures.rate),
        "achieved": ("achieved_rate", figures.rate),
    },
    {
        f"latency {name}": (f"latency/{name}", figures.duration)
        for name in ("p50", "p75", "p90", "p95", "p99", "p99.9", "max")
    },
    {
        "service time p50": ("service_time/p50", figures.duration),
        "service time p99": ("service_time/p99", figures.duration),
        "asked to wait, mean": ("waited/asked/mean", figures.duration),
        "lost to backoff, mean": ("waited/backoff/mean", figures.duration),
        "began late, mean": ("waited/start_lag/mean", figures.duration),
    },
    {name: (name, figures.count) for name in ("registers", "polls", "throttled", "retries")},
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
    text = figures.ratio(row.ratio)
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
                f"first {figures.duration(row['first_seen'])}, "
                f"last {figures.duration(row['last_seen'])})",
            )
        )
