"""Side by side: what a device costs, from register to assigned, with aiodps and without.

    python -m benchmarks.register                          # to the terminal
    python -m benchmarks.register --out benchmarks/results --azure-python VENV/bin/python

One server process; each client in a process of its own; rounds interleaved, in an order drawn
anew for each, so that what else the machine does hits all of them. Reported are medians, and the
median of the ratios to the baseline within each round: absolute milliseconds drift from day to
day, ratios hardly.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.baseline import Server
from benchmarks.server import emulator, issue
from benchmarks.table import environment, page, summarise

from aiodps.fleet.measure.percentiles import percentile
from aiodps.pki import Authority

CLIENTS: Final = (
    "baseline:rest",
    "ours:rest",
    "harness:rest",
    "peers:stock_httpx",
    "baseline:mqtt",
    "ours:mqtt",
    "harness:mqtt",
    "peers:stock_aiomqtt",
)
AZURE: Final = "azure_sdk:mqtt"
STALL_TIMEOUT: Final = 60.0
"""Seconds after which a client counts as hanging."""


def measure(
    client: str, python: str, server: Server, folder: Path, *, devices: int, concurrency: int
) -> dict[str, Any]:
    """Run one client once, in a process of its own."""
    command = [python, "-m", "benchmarks.one_client", client, json.dumps(asdict(server))]
    words = [str(folder), str(devices), str(concurrency)]
    try:
        done = subprocess.run(
            [*command, *words],
            check=True,
            capture_output=True,
            text=True,
            timeout=STALL_TIMEOUT,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
    except subprocess.TimeoutExpired:
        return {"client": client, "error": f"was not done after {STALL_TIMEOUT:g} s"}
    except subprocess.CalledProcessError as error:
        return {"client": client, "error": error.stderr[-500:]}

    run: dict[str, Any] = json.loads(done.stdout)
    latencies = sorted(run.pop("latencies"))
    return run | {
        "p50_ms": percentile(latencies, 50) * 1000,
        "p99_ms": percentile(latencies, 99) * 1000,
    }


def compare(
    options: argparse.Namespace, server: Server, folder: Path, concurrency: int
) -> list[dict[str, Any]]:
    """Run every client in every round, in an order drawn from the seed.

    One that did not get done in a round is not tried again.
    """
    pythons = dict.fromkeys(CLIENTS, sys.executable)
    if options.azure_python is not None:
        pythons[AZURE] = options.azure_python

    # As many as it takes for the first wave not to be all of it.
    devices = max(options.devices, 2 * concurrency)
    rng = random.Random(f"{options.seed}-{concurrency}")  # noqa: S311 (an order)
    rounds: list[dict[str, Any]] = []
    for number in range(options.rounds):
        one = {}
        for client in rng.sample(sorted(pythons), len(pythons)):
            if rounds and "error" in rounds[-1][client]:
                one[client] = rounds[-1][client]  # it would only hang once more
                continue

            one[client] = measure(
                client, pythons[client], server, folder, devices=devices, concurrency=concurrency
            )

        rounds.append(one)
        print(f"{concurrency} at a time: {number + 1} of {options.rounds}", file=sys.stderr)

    return rounds


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", type=int, default=300, help="a round, at least two waves")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[50, 300])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1, help="of the order in each round")
    parser.add_argument("--azure-python", help="a Python with azure-iot-device 2.14")
    parser.add_argument("--out", type=Path, help="folder for everything as JSON and a page")
    return parser.parse_args()


def main() -> None:
    """Measure."""
    options = parse()
    shown = {name: value for name, value in vars(options).items() if name != "out"}
    facts = environment(shown | {"azure_python": options.azure_python is not None})
    facts["command"] = facts["command"].replace(str(options.azure_python), "VENV/bin/python")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        devices = folder / "devices"
        devices.mkdir()
        root = Authority.root("bench root")
        issue(root, devices, 1 + max(options.devices, 2 * max(options.concurrency)))
        with emulator(folder, root) as server:
            rounds = {
                each: compare(options, server, devices, each) for each in options.concurrency
            }

    clients = [*CLIENTS, *([AZURE] if options.azure_python is not None else [])]
    tables = {each: summarise(ones, clients) for each, ones in rounds.items()}
    text = page(facts, tables)
    print(text)
    if options.out is not None:
        stem = f"{facts['date'][:10]}-register"
        (options.out / f"{stem}.md").write_text(text)
        everything = {"environment": facts, "medians": tables, "rounds": rounds}
        (options.out / f"{stem}.json").write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
