"""What a device costs, in numbers that the machine's load does not change: a gate.

    python -m benchmarks.costs                   # count, and compare with costs.json
    python -m benchmarks.costs --only calls      # some seconds instead of some minutes
    python -m benchmarks.costs --record "WHY"    # take the new figures over, with a note

It fails if a figure is more than two per cent over the recorded one. Each is that of one device
among others that are provisioned one after the other, over REST and over MQTT, there with aiomqtt
and with the native session:

- calls: functions of Python and C;
- system calls, as strace sees them, without those that depend on when something arrives, and
  without getpid, which asyncio before Python 3.12 calls whenever it is asked for its loop;
- millions of user instructions, as callgrind counts them: the difference of two runs, so that
  start-up cancels.

Calls are the fewest of many devices, so that none counts that had to wait once more.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.baseline import Server
from benchmarks.counted import MARK, WARM_UP
from benchmarks.server import emulator, issue

from aiodps.pki import Authority

CLIENTS: Final = ("ours:rest", "ours:mqtt", "ours:mqtt_native")
RECORDED: Final = Path(__file__).with_name("costs.json")
TOLERANCE: Final = 1.02
FEW, MANY = 5, 40
_LIBRARIES: Final = ("aiomqtt", "anyio", "cryptography", "h11", "httpx", "paho-mqtt")
_LEFT_OUT: Final = {
    *("epoll_wait", "epoll_pwait", "epoll_ctl", "futex", "getpid"),
    *("brk", "mmap", "mremap", "munmap", "madvise"),  # of memory: what was there before counts
}

Figures = Mapping[str, Mapping[str, float]]
"""Of each client, by the name of the figure."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The service, and its devices."""

    server: Server
    devices: Path
    files: Path
    """A folder for what the counting programs write."""

    def run(self, client: str, devices: int, *options: str, under: tuple[str, ...] = ()) -> str:
        """Provision devices in a process of its own, and return what it prints."""
        client_and_server = (client, json.dumps(asdict(self.server)))
        counted = (sys.executable, "-m", "benchmarks.counted", *client_and_server)
        command = (*under, *counted, str(self.devices), str(devices), *options)
        env = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
        if done.returncode:
            raise SystemExit(f"{client}: {done.stderr[-1000:]}")

        return done.stdout


def calls(bench: Bench, client: str) -> float:
    """Count the calls of a device."""
    return int(bench.run(client, MANY, "--calls"))


def system_calls(bench: Bench, client: str) -> float:
    """Count the system calls of a device."""
    out = bench.files / "strace"
    bench.run(client, MANY, under=("strace", "-f", "-o", str(out)))
    return least_system_calls(out.read_text())


def least_system_calls(log: str) -> int:
    """Return the fewest calls between two marks in a log of strace: lines of pid and call."""
    counts: list[int] = []
    for line in log.splitlines():
        name = line.partition(" ")[2].strip().partition("(")[0]
        if name == MARK:
            counts.append(0)
        elif counts and name.isidentifier() and name not in _LEFT_OUT:
            counts[-1] += 1

    return min(counts[:-1])


def instructions(bench: Bench, client: str) -> float:
    """Count the user instructions of a device, in millions."""
    out, totals = bench.files / "callgrind", []
    for devices in (FEW, MANY):
        profile = f"--callgrind-out-file={out}"
        bench.run(client, devices, under=("valgrind", "--tool=callgrind", profile))
        totals.append(callgrind_total(out.read_text()))

    return round((totals[1] - totals[0]) / (MANY - FEW), 3)


def callgrind_total(profile: str) -> float:
    """Return the millions of instructions in a profile of callgrind."""
    line = next(each for each in profile.splitlines() if each.startswith("totals:"))
    return int(line.split()[1]) / 1e6


FIGURES: Final = {"calls": calls, "system calls": system_calls, "instructions": instructions}


def over(measured: Figures, recorded: Figures) -> Iterator[str]:
    """Name each figure that is over the recorded one, or has none."""
    for client, figures in measured.items():
        for name, figure in figures.items():
            limit = recorded.get(client, {}).get(name)
            if limit is None or figure > limit * TOLERANCE:
                yield f"{client}: {figure:g} {name}, recorded are {limit}"


def environment() -> dict[str, str]:
    """Name what the figures depend on, besides the code."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {
        "Python": python,
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
        **{each: version(each) for each in _LIBRARIES},
    }


def measure(names: list[str]) -> Figures:
    """Count everything."""
    with tempfile.TemporaryDirectory() as name:
        files, devices = Path(name), Path(name, "devices")
        devices.mkdir()
        root = Authority.root("bench root")
        issue(root, devices, WARM_UP + MANY)
        with emulator(files, root) as server:
            bench = Bench(server, devices, files)
            return {
                client: {each: FIGURES[each](bench, client) for each in names}
                for client in CLIENTS
            }


def main() -> None:
    """Count, show, and compare or record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=FIGURES, action="append", help="count only this")
    parser.add_argument("--record", metavar="WHY", help="take over the figures, with a note")
    options = parser.parse_args()
    recorded = json.loads(RECORDED.read_text())
    measured = measure(options.only or list(FIGURES))
    for client, figures in measured.items():
        for name, figure in figures.items():
            before = recorded["figures"].get(client, {}).get(name)
            print(f"{client}: {figure:g} {name} (recorded: {before})")

    differing = recorded["environment"].items() - environment().items()
    if differing:
        print("recorded with another " + ", ".join(sorted(" ".join(each) for each in differing)))

    if options.record:
        both = {c: {**recorded["figures"].get(c, {}), **f} for c, f in measured.items()}
        notes = [*recorded["notes"], options.record]
        everything = {"environment": environment(), "figures": both, "notes": notes}
        RECORDED.write_text(json.dumps(everything, indent=2) + "\n")
    elif faults := list(over(measured, recorded["figures"])):
        hint = "cut it, or take it over and say why: python -m benchmarks.costs --record WHY"
        raise SystemExit("\n".join([*faults, hint]))


if __name__ == "__main__":
    main()
