"""What comes out of the rounds: the spread of each figure, and what may be claimed from it."""

from __future__ import annotations

import datetime as dt
import os
import platform
import ssl
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeAlias

Run: TypeAlias = Mapping[str, Any]
"""What a client cost in a round; an `error` if it did not finish."""
Spread: TypeAlias = tuple[float, float, float]
"""Least, median and most over the rounds."""

FIGURES: Final = {
    "cpu_ms": ("CPU ms/device", 2),
    "ratio": ("x base", 2),
    "wall_s": ("wall s", 1),
    "per_s": ("devices/s", 0),
    "connections": ("connections", 0),
    "kib_each": ("KiB/connection", 0),
    "threads": ("threads", 0),
    "descriptors": ("descriptors", 0),
}
"""The columns: title and decimals."""
PAIRS: Final = (
    ("ours:rest", "peers:stock_httpx"),
    ("ours:mqtt", "peers:stock_aiomqtt"),
    ("harness:rest", "ours:rest"),
    ("harness:mqtt", "ours:mqtt"),
    ("azure_sdk:mqtt", "ours:mqtt"),
)
"""Of whom something may be claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The results at one concurrency."""

    concurrency: int
    load: float
    """One-minute load before the first round."""
    rows: Sequence[Mapping[str, Any]]


def spread(values: Sequence[float]) -> Spread:
    """Return least, median and most."""
    return min(values), statistics.median(values), max(values)


def base_of(client: str) -> str:
    """Name the baseline of the same protocol."""
    return f"baseline:{'rest' if 'rest' in client or 'httpx' in client else 'mqtt'}"


def summarise(rounds: Sequence[Mapping[str, Run]], clients: Sequence[str]) -> list[dict[str, Any]]:
    """Take the spread over the rounds; ratios within each round first.

    `against` has the ratio of CPU to each other client. A client that never finished has no
    figures.
    """
    return [_row(rounds, client, clients) for client in clients]


def _row(
    rounds: Sequence[Mapping[str, Run]], client: str, clients: Sequence[str]
) -> dict[str, Any]:
    done = [one for one in rounds if "error" not in one[client]]
    row: dict[str, Any] = {"client": client, "finished": len(done), "rounds": len(rounds)}
    if len(done) < len(rounds):
        row["error"] = next(one[client]["error"] for one in rounds if "error" in one[client])

    for name in FIGURES:
        values = [one[client][name] for one in done if one[client].get(name) is not None]
        if values:
            row[name] = spread(values)

    row["against"] = {}
    for other in clients:
        pairs = [(one[client], one[other]) for one in done if "error" not in one[other]]
        if pairs:
            row["against"][other] = spread([run["cpu_ms"] / its["cpu_ms"] for run, its in pairs])

    if base_of(client) in row["against"]:
        row["ratio"] = row["against"][base_of(client)]

    return row


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format as Markdown: the median, and below it least and most."""
    titles = " | ".join(title for title, _ in FIGURES.values())
    lines = [f"| client | {titles} |", f"| --- |{' --: |' * len(FIGURES)}"]
    for row in rows:
        cells = [
            written(row[name], decimals) if name in row else "-"
            for name, (_, decimals) in FIGURES.items()
        ]
        note = f" ({row['error']})" if "error" in row else ""
        lines.append(f"| {row['client']}{note} | {' | '.join(cells)} |")

    return "\n".join(lines)


def written(values: Spread, decimals: int) -> str:
    """Format a spread: the median, then least and most unless all are the same."""
    least, median, most = (f"{value:.{decimals}f}" for value in values)
    return median if least == most else f"{median} ({least} to {most})"


def claims(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say what each pair's CPU is to each other: nothing where the rounds disagree."""
    by_client = {row["client"]: row for row in rows}
    for one, other in PAIRS:
        ratio = by_client.get(one, {}).get("against", {}).get(other)
        if ratio is None:
            continue

        least, _, most = ratio
        verdict = "costs more than" if least > 1 else "costs less than" if most < 1 else None
        words = (
            f"{one} {verdict} {other}" if verdict else f"{one} and {other}: no difference shown"
        )
        yield f"{words}: x {written(ratio, 2)}"


def environment(benchmark: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Say what was measured where, and how to do it again."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    packages = ("aiodps", "httpx", "httpcore", "aiomqtt", "paho-mqtt", "anyio", "cryptography")
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "command": f"python -m benchmarks.{benchmark} {' '.join(sys.argv[1:])}".strip(),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.platform()}",
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "versions": {name: version(name) for name in packages},
        **options,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()

    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def page(facts: Mapping[str, Any], tables: Sequence[Table]) -> str:
    """Return tables, what may be claimed, and facts as a Markdown page."""
    parts = [f"# What a device costs, {facts['date'][:10]}", ""]
    parts += [
        f"Median (least to most) of {facts['rounds']} rounds; CPU is that of the client.",
        "",
    ]
    for each in tables:
        parts += [f"## {each.concurrency} at a time", "", f"Load before: {each.load:.1f}", ""]
        parts += [table(each.rows), "", *(f"- {line}" for line in claims(each.rows)), ""]

    parts += ["## Where and how", ""]
    parts += [f"- {key}: {value}" for key, value in facts.items()]
    return "\n".join(parts) + "\n"
