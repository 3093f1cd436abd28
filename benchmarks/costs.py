"""What a device costs, in numbers that the machine's load does not change: a gate.

    python -m benchmarks.costs                   # count, and compare with costs.json
    python -m benchmarks.costs --only calls      # some seconds instead of some minutes
    python -m benchmarks.costs --record "WHY"    # take the new figures over, with a note

Each figure is the median of devices that are provisioned one after the other, over REST and over
MQTT, there with aiomqtt and with the native session, and by the baseline:

- calls: functions of Python and C;
- system calls, as strace sees them, without those for memory, which depend on what was there
  before, and without getpid, which asyncio before Python 3.12 calls whenever it is asked for its
  loop;
- millions of user instructions, as callgrind counts them from one device to the next.

Client and service take turns (`benchmarks/turns.py`): what has arrived when the client looks does
not depend on how busy the machine is. With the calls of clients, those of the emulator are counted
as well (`benchmarks/served.py`).

It fails if a figure of ours is more than two per cent over the recorded one. Instructions are
compared as a ratio to those of the baseline in the same run, because they depend on the processor,
for which OpenSSL and the C library choose their code, and on how Python was compiled.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.baseline import Server
from benchmarks.counted import MARK, WARM_UP
from benchmarks.packages import medians
from benchmarks.server import emulator, issue
from benchmarks.table import base_of
from benchmarks.turns import SYSTEM_CALLS

from aiodps.pki import Authority

CLIENTS: Final = ("baseline:rest", "ours:rest", "baseline:mqtt", "ours:mqtt", "ours:mqtt_native")
RECORDED: Final = Path(__file__).with_name("costs.json")
TOLERANCE: Final = 1.02
MANY: Final = 40
"""Devices; callgrind is fifty times slower than the processor, and counts fewer."""
FEW: Final = 15
_LIBRARIES: Final = ("aiomqtt", "anyio", "cryptography", "h11", "httpx", "paho-mqtt")
_LEFT_OUT: Final = {
    *SYSTEM_CALLS,
    *("getpid", "brk", "mmap", "mremap", "munmap", "madvise"),
}

Figures = Mapping[str, Mapping[str, float]]
"""Of each client, by the name of the figure."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The service, and its devices."""

    server: Server
    turns: int
    """Descriptor by which it is given its turns."""
    devices: Path
    files: Path
    """A folder for what the counting programs write."""

    def run(self, client: str, devices: int, *options: str, under: tuple[str, ...] = ()) -> str:
        """Provision devices in a process of its own, and return what it prints."""
        counted = (sys.executable, "-m", "benchmarks.counted", client)
        server = (json.dumps(asdict(self.server)), str(self.turns))
        command = (*under, *counted, *server, str(self.devices), str(devices), *options)
        env = {**os.environ, "PYTHONHASHSEED": "0"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling under callgrind takes a minute
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=env,
            check=False,
            pass_fds=(self.turns,),
        )
        if done.returncode:
            raise SystemExit(f"{client}: {done.stderr[-1000:]}")

        return done.stdout


def calls(bench: Bench, client: str) -> float:
    """Count the calls of a device."""
    return statistics.median(sum(each.values()) for each in _counted(bench, client))


def calls_by_package(bench: Bench, client: str) -> Mapping[str, float]:
    """Count the calls of a device by package, most first."""
    return medians(_counted(bench, client))


def emulator_calls() -> Mapping[str, Mapping[str, float]]:
    """Count the calls of the emulator by package, for each kind of connection."""
    command = (sys.executable, "-m", "benchmarks.served")
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # JSON


def _counted(bench: Bench, client: str) -> list[dict[str, int]]:
    """Count the calls of each device by package."""
    return json.loads(bench.run(client, MANY, "--calls"))  # type: ignore[no-any-return]  # JSON


def system_calls(bench: Bench, client: str) -> float:
    """Count the system calls of a device."""
    out = bench.files / "strace"
    bench.run(client, MANY, under=("strace", "-f", "-o", str(out)))
    return statistics.median(system_calls_in(out.read_text()))


def system_calls_in(log: str) -> list[int]:
    """Return the calls between one mark and the next in a log of strace: lines of pid and call."""
    counts: list[int] = []
    for line in log.splitlines():
        name = line.partition(" ")[2].strip().partition("(")[0]
        if name == MARK:
            counts.append(0)
        elif counts and name.isidentifier() and name not in _LEFT_OUT:
            counts[-1] += 1

    return counts[:-1]


def instructions(bench: Bench, client: str) -> float:
    """Count the user instructions of a device, in millions."""
    out = bench.files / "callgrind"
    profiles = (f"--dump-before={MARK}", "--dump-line=no", f"--callgrind-out-file={out}")
    bench.run(client, FEW, under=("valgrind", "--tool=callgrind", *profiles))
    # The first profile is of all that was before the first mark.
    each = (out.with_suffix(f".{number}") for number in range(2, 2 + FEW))
    return round(statistics.median(callgrind_total(one.read_text()) for one in each), 3)


def callgrind_total(profile: str) -> float:
    """Return the millions of instructions in a profile of callgrind."""
    line = next(each for each in profile.splitlines() if each.startswith("totals:"))
    return int(line.split()[1]) / 1e6


FIGURES: Final = {"calls": calls, "system calls": system_calls, "instructions": instructions}


def limited(figures: Figures) -> Figures:
    """Return what must not grow: figures of ours, instructions as a ratio to the baseline's."""
    return {
        client: dict(_limited(own, figures.get(base_of(client), {})))
        for client, own in figures.items()
        if client != base_of(client)
    }


def _limited(own: Mapping[str, float], base: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for name, figure in own.items():
        if name != "instructions":
            yield name, figure
        elif name in base:
            yield "times the baseline's instructions", figure / base[name]


def totals(served: Mapping[str, Mapping[str, float]]) -> Figures:
    """Return the calls of the emulator for each kind of connection, as of a client."""
    return {f"emulator:{kind}": {"calls": sum(calls.values())} for kind, calls in served.items()}


def over(measured: Figures, recorded: Figures) -> Iterator[str]:
    """Name each figure that is over the recorded one, or has none."""
    for client, figures in measured.items():
        for name, figure in figures.items():
            limit = recorded.get(client, {}).get(name, 0)
            if figure > limit * TOLERANCE:
                yield f"{client}: {figure:,.5g} {name}, recorded are {limit:,.5g}"


def environment() -> dict[str, Mapping[str, str]]:
    """Name what the figures depend on, besides the code."""
    programs = {"Python": platform.python_version(), "OpenSSL": ssl.OPENSSL_VERSION.split()[1]}
    return {"programs": programs, "libraries": {each: version(each) for each in _LIBRARIES}}


@contextmanager
def benches() -> Iterator[Bench]:
    """Start a service that takes turns with its clients, and issue devices."""
    with tempfile.TemporaryDirectory() as name:
        files, devices = Path(name), Path(name, "devices")
        devices.mkdir()
        root = Authority.root("bench root")
        issue(root, devices, WARM_UP + MANY)
        turns, service_turns = socket.socketpair()
        with emulator(files, root, turns=service_turns.fileno()) as server, turns:
            service_turns.close()
            bench = Bench(server, turns.fileno(), devices, files)
            for client in CLIENTS:  # which compiles what is imported: other memory, other figures
                bench.run(client, MANY)

            yield bench


def main() -> None:
    """Count, show, and compare or record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=FIGURES, action="append", help="count only this")
    parser.add_argument("--record", metavar="WHY", help="take over the figures, with a note")
    options = parser.parse_args()
    names = options.only or list(FIGURES)
    with benches() as bench:
        measured: dict[str, Mapping[str, float]] = {
            client: {each: FIGURES[each](bench, client) for each in names} for client in CLIENTS
        }
        listed = CLIENTS if options.record else ()
        packages = {client: calls_by_package(bench, client) for client in listed}

    served = emulator_calls() if "calls" in names else {}
    recorded = json.loads(RECORDED.read_text())
    recorded_served = recorded.get("emulator", served)  # nothing to compare with before the first
    recorded_figures = {**recorded["figures"], **totals(recorded_served)}
    measured |= totals(served)
    for client, figures in measured.items():
        for name, figure in figures.items():
            before = recorded_figures.get(client, {}).get(name)
            print(f"{client}: {figure:g} {name} (recorded: {before})")

    for kind, here in environment().items():
        if differing := recorded[kind].items() - here.items():
            print("recorded with " + ", ".join(sorted(" ".join(each) for each in differing)))

    if options.record:
        both = {c: {**recorded["figures"].get(c, {}), **measured[c]} for c in CLIENTS}
        notes = [*recorded["notes"], options.record]
        calls_of_all = {"calls": packages, "emulator": served or recorded_served}
        everything = {**environment(), "figures": both, **calls_of_all, "notes": notes}
        RECORDED.write_text(json.dumps(everything, indent=2) + "\n")
    elif faults := list(over(limited(measured), limited(recorded_figures))):
        hint = "cut it, or take it over and say why: python -m benchmarks.costs --record WHY"
        raise SystemExit("\n".join([*faults, hint]))


if __name__ == "__main__":
    main()
