"""Provision devices with one client in this process; print what it cost.

    python -m benchmarks.one_client ours:rest SERVER FOLDER AT_ONCE SECONDS DEVICES

Run by `benchmarks/register.py`, one process for each client and round, so that imports and
leftovers of one do not weigh on another. After one device it says `ready`, and goes on when it is
told to: it warms up for half a second, which tells how many devices take so many seconds, and then
provisions those that are measured; or `DEVICES`, if that is not 0. Memory, threads and connections
are counted by who runs it, from there on: counting costs processor time. Needs nothing but the
client: azure-iot-device lives in an environment without aiodps.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from benchmarks.baseline import Server
from benchmarks.spent import Spent

Client = Callable[[Server, str, Path, Path], Awaitable[str]]
"""Provisions one device."""
Harness = Callable[[Server, list[Path], int], Coroutine[None, None, None]]
"""Provisions all of them, a number at a time."""
WARM_UP = 0.5
"""Seconds, and at least one device for each of those at once."""


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


def count_for(seconds: float, *, rate: float, at_once: int) -> int:
    """Return a fifth more devices than the seconds take, and two for each of those at once.

    One each would have no steady state.
    """
    return max(2 * at_once, int(1.2 * seconds * rate))


def warm_up(wave: Callable[[int], None], at_once: int) -> float:
    """Provision for a while; return devices a second."""
    began, count, passed = time.perf_counter(), 0, 0.0
    while passed < WARM_UP:
        wave(at_once)
        count += at_once
        passed = time.perf_counter() - began

    return count / passed


def main() -> None:
    """Measure around the provisioning only."""
    name, server_json, folder, at_once, seconds, fixed = sys.argv[1:]
    server, concurrency = Server(**json.loads(server_json)), int(at_once)
    run = load(name)
    known = sorted(Path(folder).glob("*_chain.pem"))
    children = name.startswith("curl")
    with asyncio.Runner() as loop:

        def provision(count: int) -> None:
            loop.run(
                run(server, list(itertools.islice(itertools.cycle(known), count)), concurrency)
            )

        provision(1)
        print("ready", flush=True)
        sys.stdin.readline()
        if int(fixed):
            provision(min(concurrency, 20))
            count = int(fixed)
        else:
            rate = warm_up(provision, concurrency)
            count = count_for(float(seconds), rate=rate, at_once=concurrency)

        if name.startswith("harness"):  # which has each device once
            count = min(count, len(known))

        before = Spent.so_far(server.pid, children=children)
        provision(count)
        after = Spent.so_far(server.pid, children=children)

    print(json.dumps(after.since(before, devices=count)))


if __name__ == "__main__":
    main()
