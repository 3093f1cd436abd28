"""What workers and a state file cost the emulator, and where.

    python -m benchmarks.emulator_processes               # to the terminal
    python -m benchmarks.emulator_processes --out benchmarks/results

The same registrations over HTTPS (handshake, register, one poll) against emulators with another
number of processes, or with their state in a file. The devices take their share of the same
cores: read the CPU, not the rate.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil
from benchmarks.conversations import CONVERSATIONS
from benchmarks.emulator import Files, client, cpu_seconds
from benchmarks.server import emulator, issue
from benchmarks.table import environment

from aiodps.pki import Authority

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "alone": (),
    "1 worker": ("--workers", "1"),
    "2 workers": ("--workers", "2"),
    "alone, with state": ("--state", "state.db"),
    "2 workers, with state": ("--workers", "2", "--state", "state.db"),
}
WARM: Final = 100
"""Registrations before those that count."""


def measure(folder: Path, root: Authority, kind: str, count: int) -> dict[str, float]:
    """Register so many devices at one emulator; give CPU milliseconds for each of them."""
    with tempfile.TemporaryDirectory() as name:
        fresh = Path(name)
        options = [str(fresh / word) if word.endswith(".db") else word for word in KINDS[kind]]
        with emulator(fresh, root, *options) as server:
            files = Files(str(fresh / "server-ca.pem"), str(folder))
            processes = [server.pid, *(each.pid for each in psutil.Process(server.pid).children())]
            command = client(server, files, CONVERSATIONS["rest"], count=WARM)
            subprocess.run(command, check=True, capture_output=True)
            before = [cpu_seconds(each) for each in processes]
            command = client(server, files, CONVERSATIONS["rest"], count=count)
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            spent = [cpu_seconds(each) for each in processes]

    facts: dict[str, Any] = json.loads(done.stdout)
    if facts["failures"]:
        raise SystemExit(f"{kind}: {facts['first_failure']}")

    one, *others = (
        (after - earlier) * 1000 / count for earlier, after in zip(before, spent, strict=True)
    )
    return {"parent_ms": one, "workers_ms": sum(others), "per_s": count / facts["seconds"]}


def summary(rounds: list[dict[str, dict[str, float]]]) -> str:
    """Say it in a table of medians."""
    lines = [
        "| | parent CPU ms | workers CPU ms | registrations/s |",
        "| --- | --: | --: | --: |",
    ]
    for kind in KINDS:
        parent, workers, rate = (
            statistics.median(one[kind][name] for one in rounds)
            for name in ("parent_ms", "workers_ms", "per_s")
        )
        lines.append(f"| {kind} | {parent:.2f} | {workers:.2f} | {rate:.0f} |")

    return "\n".join(lines)


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--registrations", type=int, default=1000, help="of each kind in a round")
    parser.add_argument("--out", type=Path, help="folder for everything as JSON")
    options = parser.parse_args()
    facts = environment({"rounds": options.rounds, "registrations": options.registrations})
    root = Authority.root("bench root")
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        issue(root.intermediate("bench intermediate"), folder, options.registrations)
        for number in range(options.rounds):
            rounds.append(
                {kind: measure(folder, root, kind, options.registrations) for kind in KINDS}
            )
            print(f"{number + 1} of {options.rounds}", file=sys.stderr)

    print(summary(rounds))
    if options.out is not None:
        path = options.out / f"{facts['date'][:10]}-emulator-processes.json"
        path.write_text(json.dumps({"environment": facts, "rounds": rounds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
