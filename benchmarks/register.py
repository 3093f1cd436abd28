"""Side by side: what a device costs, from register to assigned, with aiodps and without.

    python -m benchmarks.register                          # to the terminal
    python -m benchmarks.register --out benchmarks/results --azure-python VENV/bin/python

One server process; each client in a process of its own, observed from this one; rounds
interleaved, in an order drawn anew for each, so that what else the machine does hits all of them.
Ratios to the baseline are within each round: milliseconds drift from day to day, ratios hardly.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.baseline import Server
from benchmarks.observe import Observation
from benchmarks.quiet import wait_until_quiet
from benchmarks.server import emulator, issue
from benchmarks.table import Table, environment, page, summarise

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
_PATH: Final = os.pathsep.join(
    filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")))
)
STALL_TIMEOUT: Final = 60.0
"""Seconds beyond those of a round after which a client counts as hanging."""


def measure(
    client: str, python: str, server: Server, folder: Path, *, concurrency: int, seconds: float
) -> dict[str, Any]:
    """Run one client once, in a process of its own."""
    command = [python, "-m", "benchmarks.one_client", client, json.dumps(asdict(server))]
    with subprocess.Popen(
        [*command, str(folder), str(concurrency), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": _PATH},
    ) as process:
        assert process.stdout is not None
        stalled = threading.Timer(STALL_TIMEOUT + 4 * seconds, process.kill)
        stalled.start()
        try:
            process.stdout.readline()
            observation = Observation(process.pid)
            with observation.running():
                out, error = process.communicate("go\n")
        finally:
            stalled.cancel()

    if process.returncode:
        killed = f"was not done after {stalled.interval:g} s"
        return {"client": client, "error": killed if process.returncode < 0 else error[-500:]}

    return {
        "client": client,
        **json.loads(out.splitlines()[-1]),
        "connections": observation.connections,
        "threads": observation.most.threads,
        "descriptors": observation.most.descriptors,
        "kib_each": observation.kib_each,
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

    rng = random.Random(f"{options.seed}-{concurrency}")  # noqa: S311 (an order)
    rounds: list[dict[str, Any]] = []
    for number in range(options.rounds):
        one = {}
        for client in rng.sample(sorted(pythons), len(pythons)):
            if rounds and "error" in rounds[-1][client]:
                one[client] = rounds[-1][client]  # it would only hang once more
                continue

            how = {"concurrency": concurrency, "seconds": options.seconds}
            one[client] = measure(client, pythons[client], server, folder, **how)

        rounds.append(one)
        print(f"{concurrency} at a time: {number + 1} of {options.rounds}", file=sys.stderr)

    return rounds


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a client in a round")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[50, 300])
    parser.add_argument("--devices", type=int, default=5000, help="as many certificates")
    parser.add_argument("--seed", type=int, default=1, help="of the order in each round")
    parser.add_argument("--azure-python", help="a Python with azure-iot-device 2.14")
    parser.add_argument("--anyway", action="store_true", help="even if the machine is busy")
    parser.add_argument("--out", type=Path, help="folder for everything as JSON and a page")
    return parser.parse_args()


def main() -> None:
    """Measure."""
    options = parse()
    wait_until_quiet(anyway=options.anyway)
    shown = {name: value for name, value in vars(options).items() if name != "out"}
    facts = environment("register", shown | {"azure_python": options.azure_python is not None})
    facts["command"] = facts["command"].replace(str(options.azure_python), "VENV/bin/python")
    clients = [*CLIENTS, *([AZURE] if options.azure_python is not None else [])]
    tables: list[Table] = []
    rounds: dict[int, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        devices = folder / "devices"
        devices.mkdir()
        root = Authority.root("bench root")
        issue(root, devices, options.devices)
        with emulator(folder, root) as server:
            for each in options.concurrency:
                load = wait_until_quiet(anyway=options.anyway)
                rounds[each] = compare(options, server, devices, each)
                rows = summarise(rounds[each], clients)
                tables.append(Table(concurrency=each, load=load, rows=rows))

    text = page(facts, tables)
    print(text)
    if options.out is not None:
        stem = f"{facts['date'][:10]}-register"
        (options.out / f"{stem}.md").write_text(text)
        spread = [asdict(each) for each in tables]
        everything = {"environment": facts, "spread": spread, "rounds": rounds}
        (options.out / f"{stem}.json").write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
