"""Side by side: what a device costs, from register to assigned, with aiodps and without.

    python -m benchmarks.register --table main             # to the terminal
    python -m benchmarks.register --plan --table all       # how many minutes each takes
    python -m benchmarks.register --table all --out benchmarks/results

One server process; each client in a process of its own, observed from this one; rounds
interleaved, in an order drawn anew for each, so that what else the machine does hits all of them.
Ratios are within each round: milliseconds drift from day to day, ratios hardly.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

from benchmarks.baseline import Server
from benchmarks.clients import CLIENTS, Client, variables
from benchmarks.environments import DEFAULT, Environments
from benchmarks.link import link
from benchmarks.plans import PLANS, Plan
from benchmarks.process import measure
from benchmarks.quiet import wait_until_quiet
from benchmarks.server import LINK_HOST, emulator, https_port, issue
from benchmarks.spent import cpu_seconds, machine_seconds, own_seconds
from benchmarks.table import Table, page, summarise
from benchmarks.where import environment, python_facts

from aiodps.pki import Authority

DEVICES: Final = {"ec": 3000, "rsa": 300}
"""As many certificates; what goes beyond them registers again."""
Round: TypeAlias = dict[str, Any]


class Bench:
    """One table: its clients and their environments."""

    def __init__(self, plan: Plan, options: argparse.Namespace) -> None:
        self.plan = plan
        self.options = options
        self.environments = Environments(options.environments)
        self.left_out: list[str] = []
        self.tables: list[Table] = []
        self.rounds: dict[int, list[Round]] = {}

    def run(self, folder: Path) -> None:
        """Measure all of it."""
        devices, key_type = folder / "devices", self.plan.key_type
        devices.mkdir()
        root = Authority.root("bench root", key_type=key_type)
        issue(root, devices, DEVICES[key_type], key_type=key_type)
        words = ("--retry-after", str(self.plan.retry_after), "--https-port", str(https_port()))
        with (
            emulator(folder, root, *words, "--tls-name", LINK_HOST) as near,
            self._reached(near) as (server, pids),
        ):
            for at_once in self.plan.at_once:
                self._compare(server, pids, devices, at_once)

    @contextmanager
    def _reached(self, near: Server) -> Iterator[tuple[Server, list[int]]]:
        """Give the server, behind a link if there is one, and the processes that serve."""
        if not self.plan.round_trip:
            yield near, [near.pid]
            return

        with link(near, LINK_HOST, self.plan.round_trip) as (far, pid):
            yield far, [near.pid, pid]

    def _compare(self, server: Server, pids: Sequence[int], devices: Path, at_once: int) -> None:
        commands = dict(self.commands(at_once, https_port=server.https_port))
        load = wait_until_quiet(anyway=self.options.anyway)
        before = _others(pids)
        rounds = self.rounds[at_once] = self._all_rounds(server, devices, at_once, commands)
        passed, spent = (
            after - earlier for after, earlier in zip(_others(pids), before, strict=True)
        )
        rows = summarise(rounds, list(commands), figure=self.plan.compared)
        self.tables.append(Table(at_once=at_once, load=load, others=spent / passed, rows=rows))

    def commands(self, at_once: int, *, https_port: int) -> Iterator[tuple[str, list[str]]]:
        """Give the command of each client that is here, by the name of its row."""
        for client in self.plan.taking_part(at_once):
            command = client.command(self.environments)
            if command is None or (client.name == "node:rest" and https_port != 443):
                self._leave_out(client.name)
                continue

            yield from self._on_each_python(client, command)

    def _on_each_python(
        self, client: Client, command: list[str]
    ) -> Iterator[tuple[str, list[str]]]:
        newest = self.environments.newest_python
        if not self.plan.newest:
            yield client.name, command
        elif newest is None:
            self._leave_out("the newest Python")
        else:
            for python in (sys.executable, newest):
                version = python_facts(python)["python"]
                yield f"{client.name} on {version}", [python, *command[1:]]

    def _leave_out(self, name: str) -> None:
        if name not in self.left_out:
            self.left_out.append(name)

    def _all_rounds(
        self, server: Server, devices: Path, at_once: int, commands: Mapping[str, list[str]]
    ) -> list[Round]:
        """Run every client in every round, in an order drawn from the seed.

        One that did not get done in a round is not tried again.
        """
        options, rounds = self.options, list[Round]()
        rng = random.Random(f"{options.seed}-{at_once}")  # noqa: S311 (an order)
        numbers = (str(at_once), str(options.seconds), str(self.plan.devices))
        ca = devices / "server-ca"
        ca.write_text(server.ca)
        for number in range(options.rounds):
            one: Round = {}
            for name in rng.sample(sorted(commands), len(commands)):
                if rounds and "error" in rounds[-1][name]:
                    one[name] = rounds[-1][name]  # it would only hang once more
                    continue

                client = name.partition(" ")[0]
                arguments = (client, json.dumps(asdict(server)), str(devices), *numbers)
                one[name] = measure(
                    [*commands[name], *arguments],
                    variables(self.environments, ca),
                    server.pid,
                    seconds=options.seconds,
                    observed=CLIENTS[client].observed,
                )

            rounds.append(one)
            progress = f"{number + 1} of {options.rounds}"
            print(f"{self.plan.name}, {at_once} at a time: {progress}", file=sys.stderr)

        return rounds


def _others(pids: Sequence[int]) -> tuple[float, float]:
    """Return the time, and what processes that are not ours have spent."""
    ours = own_seconds() + sum(map(cpu_seconds, pids))
    return time.monotonic(), machine_seconds() - ours


def publish(bench: Bench, out: Path | None) -> None:
    """Print a table, and write it with everything that it was made of."""
    facts = environment(
        {
            "rounds": bench.options.rounds,
            "seconds": bench.options.seconds,
            "seed": bench.options.seed,
            "left_out": bench.left_out,
        },
        bench.environments,
    )
    text = page(bench.plan, facts, bench.tables)
    print(text)
    if out is not None:
        (out / f"{bench.plan.name}.md").write_text(text)
        everything = {
            "environment": facts,
            "tables": [asdict(each) for each in bench.tables],
            "rounds": bench.rounds,
        }
        (out / f"{bench.plan.name}.json").write_text(json.dumps(everything, indent=1) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", nargs="+", choices=(*PLANS, "all"), default=["main"])
    parser.add_argument("--plan", action="store_true", help="tell what takes how long, and end")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a client in a round")
    parser.add_argument(
        "--at-once", type=int, nargs="+", default=(), help="instead of those of the table"
    )
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=(), help="only these")
    parser.add_argument("--seed", type=int, default=1, help="of the order in each round")
    parser.add_argument("--environments", type=Path, default=DEFAULT, help="of other clients")
    parser.add_argument("--anyway", action="store_true", help="even if the machine is busy")
    parser.add_argument("--out", type=Path, help="folder for everything as JSON and Markdown")
    options = parser.parse_args()
    names = PLANS if "all" in options.table else options.table
    cut = {"at_once": options.at_once, "clients": options.clients}
    options.plans = [PLANS[name].cut_down(**cut) for name in names]
    return options


def tell(options: argparse.Namespace) -> None:
    """Say how long each table takes, and all of them."""
    total = 0.0
    for plan in options.plans:
        minutes = plan.minutes(rounds=options.rounds, seconds=options.seconds)
        total += minutes
        print(f"{plan.name}: about {minutes:.0f} minutes ({plan.conditions})", file=sys.stderr)

    print(f"about {total:.0f} minutes in all, once the machine is quiet", file=sys.stderr)


def main() -> None:
    """Measure."""
    options = parse()
    tell(options)
    if options.plan:
        return

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # of those that are started, too
    for plan in options.plans:
        bench = Bench(plan, options)
        with tempfile.TemporaryDirectory() as folder:
            bench.run(Path(folder))

        publish(bench, options.out)


if __name__ == "__main__":
    main()
