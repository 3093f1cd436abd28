"""What comes out of the rounds: medians, ratios to the baseline, and what was measured where."""

from __future__ import annotations

import datetime as dt
import os
import platform
import ssl
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

Run = Mapping[str, Any]
"""What `one_client` prints, with p50_ms and p99_ms; an `error` if it did not finish."""

FIGURES: Final = {
    "cpu_ms": ("CPU ms/device", 2),
    "ratio": ("x base", 2),
    "wall_s": ("wall s", 1),
    "per_s": ("devices/s", 0),
    "p50_ms": ("p50 ms", 0),
    "p99_ms": ("p99 ms", 0),
    "threads": ("threads", 0),
    "descriptors": ("descriptors", 0),
    "kib_each": ("KiB/device", 0),
}
"""The columns: title and decimals."""


def summarise(rounds: Sequence[Mapping[str, Run]], clients: Sequence[str]) -> list[dict[str, Any]]:
    """Take medians over the rounds; ratios within each round first.

    The baseline is that of the same protocol. A client that never finished has no figures.
    """
    rows = []
    for client in clients:
        base = f"baseline:{'rest' if 'rest' in client or 'httpx' in client else 'mqtt'}"
        pairs = [(one[client], one[base]) for one in rounds if "error" not in one[client]]
        row: dict[str, Any] = {"client": client, "finished": len(pairs), "rounds": len(rounds)}
        if len(pairs) < len(rounds):
            row["error"] = next(one[client]["error"] for one in rounds if "error" in one[client])

        if pairs:
            row |= {
                name: statistics.median(run[name] for run, _ in pairs)
                for name in FIGURES
                if name != "ratio"
            }
            row["ratio"] = statistics.median(run["cpu_ms"] / its["cpu_ms"] for run, its in pairs)

        rows.append(row)

    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format as Markdown."""
    titles = " | ".join(title for title, _ in FIGURES.values())
    lines = [f"| client | {titles} |", f"| --- |{' --: |' * len(FIGURES)}"]
    for row in rows:
        cells = [
            f"{row[name]:.{decimals}f}" if name in row else "-"
            for name, (_, decimals) in FIGURES.items()
        ]
        note = f" ({row['error']})" if "error" in row else ""
        lines.append(f"| {row['client']}{note} | {' | '.join(cells)} |")

    return "\n".join(lines)


def environment(options: Mapping[str, Any]) -> dict[str, Any]:
    """Say what was measured where, and how to do it again."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    packages = ("aiodps", "httpx", "httpcore", "aiomqtt", "paho-mqtt", "anyio", "cryptography")
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "command": f"python -m benchmarks.register {' '.join(sys.argv[1:])}".strip(),
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


def page(facts: Mapping[str, Any], tables: Mapping[int, Sequence[Mapping[str, Any]]]) -> str:
    """Return tables and facts as a Markdown page."""
    parts = [f"# What a device costs, {facts['date'][:10]}", ""]
    for concurrency, rows in tables.items():
        parts += [f"## {concurrency} at a time", "", table(rows), ""]

    parts += ["## Where and how", ""]
    parts += [f"- {key}: {value}" for key, value in facts.items()]
    return "\n".join(parts) + "\n"
