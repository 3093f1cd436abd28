"""Where the processor time of a device goes, sampled: what OpenSSL, libraries and aiodps spend.

    python -m benchmarks.sampled                            # five rounds, five minutes
    python -m benchmarks.sampled --clients ours:rest --rounds 1 --functions 40
    python -m benchmarks.sampled --out benchmarks/results   # sampled.json, sampled.md

The kernel interrupts the client whenever it has spent another tick of processor time, and the
function that runs is noted: a function of C counts for the function of Python that called it, and
what Python runs between two calls may count for the function that is called next.
Ticks are 1 to 10 ms long, so a part of one per cent needs some thousand devices to be seen.
Counted calls (`benchmarks/costs.py`) say what is done, and this says what it costs. A profiler
that times each call would charge small functions of Python for its own work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, Final

from benchmarks.baseline import Server
from benchmarks.one_client import load
from benchmarks.packages import package_of
from benchmarks.quiet import wait_until_quiet
from benchmarks.server import emulator, issue
from benchmarks.table import spread, written
from benchmarks.where import environment

from aiodps.pki import Authority

CLIENTS: Final = ("baseline:rest", "ours:rest", "baseline:mqtt", "ours:mqtt", "ours:mqtt_native")
TICK: Final = 0.001
"""Seconds that are asked for; the kernel rounds them up to its own tick."""
LEAST: Final = 0.01
"""Share of a part that is listed by itself, with any client."""
OTHERS: Final = "all others"
OPENSSL: Final = {
    "do_handshake": "OpenSSL: the handshake",
    "load_into": "OpenSSL: reading the device's certificate and key",
    "context": "OpenSSL: reading the device's certificate and key, and the CA",
    "SSLContext.__new__": "OpenSSL: a context",
}
"""Functions of Python that hardly do anything but call OpenSSL, by the end of their names."""


def part_of(file: str, function: str) -> str:
    """Return the part of a device's time that a function counts for."""
    found = (part for end, part in OPENSSL.items() if function.endswith(end))
    return next(found, package_of(file))


def sample(name: str, server: Server, chains: Sequence[Path], at_once: int) -> dict[str, Any]:
    """Provision half of the devices to warm up, sample the others, and say what one cost."""
    run, found = load(name), Counter[tuple[str, str]]()
    half = len(chains) // 2

    def note(_signal: int, frame: FrameType | None) -> None:
        if frame is not None:
            found[frame.f_code.co_filename, frame.f_code.co_qualname] += 1

    with asyncio.Runner() as loop:
        loop.run(run(server, list(chains[:half]), at_once))
        signal.signal(signal.SIGPROF, note)
        signal.setitimer(signal.ITIMER_PROF, TICK, TICK)
        began = time.process_time()
        loop.run(run(server, list(chains[half:]), at_once))
        spent = time.process_time() - began
        signal.setitimer(signal.ITIMER_PROF, 0)

    micros = spent * 1e6 / (len(chains) - half)
    functions = [(file, function, count) for (file, function), count in found.most_common()]
    return {"micros": micros, "samples": found.total(), "functions": functions}


def parts(rounds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the microseconds of a device by part, most first: the mean of all rounds."""
    shares: Counter[str] = Counter()
    for one in rounds:
        for file, function, count in one["functions"]:
            shares[part_of(file, function)] += one["micros"] * count / one["samples"]

    return {part: micros / len(rounds) for part, micros in shares.most_common()}


def summary(result: Mapping[str, Any]) -> str:
    """Format as Markdown: a line for each part, a column for each client."""
    clients = result["clients"]
    by_part = {name: parts(rounds) for name, rounds in clients.items()}
    lines = [
        f"Microseconds of a device, {result['environment']['at_once']} at a time.\n",
        f"| part | {' | '.join(clients)} |",
        f"| --- |{' --: |' * len(clients)}",
    ]
    for part, cells in _rows(by_part):
        lines.append(f"| {part} | {' | '.join(f'{each:,.0f}' for each in cells)} |")

    all_in_all = (spread([one["micros"] for one in rounds]) for rounds in clients.values())
    lines.append(f"| **in all** | {' | '.join(written(each, 0) for each in all_in_all)} |")
    return "\n".join(lines)


def _rows(by_part: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[str, list[float]]]:
    """Yield each part with its time with each client, OpenSSL first; small ones together."""
    most: dict[str, float] = {}
    for own in by_part.values():
        for part, micros in own.items():
            most[part] = max(micros / sum(own.values()), most.get(part, 0))

    listed = [part for part in most if most[part] >= LEAST]
    for part in sorted(listed, key=lambda part: (not part.startswith("OpenSSL"), -most[part])):
        yield part, [own.get(part, 0) for own in by_part.values()]

    yield (
        OTHERS,
        [sum(own[part] for part in own if part not in listed) for own in by_part.values()],
    )


def functions(rounds: Sequence[Mapping[str, Any]], count: int) -> Iterator[str]:
    """Name the functions that took most, with their microseconds of a device."""
    found: Counter[str] = Counter()
    for one in rounds:
        for file, function, samples in one["functions"]:
            name = f"{Path(file).parent.name}/{Path(file).name} {function}"
            found[name] += one["micros"] * samples / one["samples"] / len(rounds)

    yield from (f"{micros:8.1f} {name}" for name, micros in found.most_common(count))


def measure(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Sample each client in each round, in a process of its own."""
    result: dict[str, list[dict[str, Any]]] = {name: [] for name in options.clients}
    with tempfile.TemporaryDirectory() as name:
        files, devices = Path(name), Path(name, "devices")
        devices.mkdir()
        root = Authority.root("bench root")
        issue(root, devices, 2 * options.devices)
        for number in range(options.rounds):
            for client in options.clients:
                for left in ("ready", "server-ca.pem"):
                    (files / left).unlink(missing_ok=True)

                with emulator(files, root) as server:
                    told = {"server": asdict(server), "devices": str(devices)}
                    result[client].append(_told(client, told, options.at_once))

            print(f"{number + 1} of {options.rounds}", file=sys.stderr)

    return result


def _told(client: str, told: Mapping[str, Any], at_once: int) -> dict[str, Any]:
    words = json.dumps({**told, "client": client, "at_once": at_once})
    command = [sys.executable, "-m", "benchmarks.sampled", "--told", words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # JSON


def main() -> None:
    """Sample, and print or write."""
    options = _options()
    if (told := options.told) is not None:
        chains = sorted(Path(told["devices"]).glob("*_chain.pem"))
        server = Server(**told["server"])
        print(json.dumps(sample(told["client"], server, chains, told["at_once"])))
        return

    wait_until_quiet(anyway=options.anyway)
    facts = environment(
        {name: getattr(options, name) for name in ("rounds", "devices", "at_once")}
    )
    result = {"environment": facts, "clients": measure(options)}
    text = summary(result)
    print(text)
    for client, rounds in result["clients"].items() if options.functions else ():
        print("", client, *functions(rounds, options.functions), sep="\n")

    if options.out is not None:
        shared = {name: parts(rounds) for name, rounds in result["clients"].items()}
        written_down = json.dumps({"environment": facts, "micros": shared}, indent=1)
        (options.out / "sampled.json").write_text(written_down + "\n", encoding="utf-8")
        (options.out / "sampled.md").write_text(text + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", nargs="+", default=CLIENTS, help="as in performance.md")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--devices", type=int, default=1000, help="of each client in a round")
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--functions", type=int, default=0, help="list so many functions, too")
    parser.add_argument("--anyway", action="store_true", help="even if the machine is busy")
    parser.add_argument("--out", type=Path, help="folder for results")
    parser.add_argument("--told", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
