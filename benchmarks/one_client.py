"""Provision devices with one client in this process for some seconds; print what it cost.

Run by `benchmarks/register.py`, one process for each client and round, so that imports and
leftovers of one do not weigh on another. After one device it says `ready`, and goes on when it is
told to: with a wave that warms up, one that tells how many devices take that long, and those that
are measured. Memory, threads and connections are counted by who runs it, from there on: counting
costs processor time. Needs nothing but the client: azure-iot-device lives in an environment
without aiodps.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from benchmarks.baseline import Server

Client = Callable[[Server, str, Path, Path], Awaitable[str]]
"""Provisions one device."""
Harness = Callable[[Server, list[Path], int], Coroutine[None, None, None]]
"""Provisions all of them, a number at a time."""


def load(name: str) -> Harness:
    """Import one client only."""
    module, _, function = name.partition(":")
    imported = getattr(__import__(f"benchmarks.{module}", fromlist=[function]), function)
    return imported if module == "harness" else each_by(imported)


def each_by(client: Client) -> Harness:
    """Make a plain harness of a client."""

    async def run(server: Server, devices: list[Path], concurrency: int) -> None:
        places = asyncio.Semaphore(concurrency)

        async def one(chain: Path) -> None:
            key = chain.with_name(chain.name.replace("_chain.pem", "_key.pem"))
            async with places:
                await client(server, chain.name.removesuffix("_chain.pem"), chain, key)

        await asyncio.gather(*(one(device) for device in devices))

    return run


def main() -> None:
    """Measure around the provisioning only."""
    name, server_json, folder, at_once, seconds = sys.argv[1:]
    server, concurrency = Server(**json.loads(server_json)), int(at_once)
    run = load(name)
    devices = sorted(Path(folder).glob("*_chain.pem"))
    with asyncio.Runner() as loop:
        loop.run(run(server, devices[:1], 1))
        print("ready", flush=True)
        sys.stdin.readline()
        loop.run(run(server, devices[:concurrency], concurrency))
        began = time.perf_counter()
        loop.run(run(server, devices[:concurrency], concurrency))
        wave = time.perf_counter() - began
        # A fifth more than the seconds take; at least two waves, as one has no steady state.
        count = max(2 * concurrency, int(1.2 * float(seconds) / wave * concurrency))
        count = min(count, len(devices))
        cpu, wall = time.process_time(), time.perf_counter()
        loop.run(run(server, devices[:count], concurrency))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall

    facts = {"devices": count, "cpu_ms": cpu / count * 1000, "wall_s": wall, "per_s": count / wall}
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
