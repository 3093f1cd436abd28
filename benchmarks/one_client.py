"""Provision N devices with one client in this process; print what it cost as JSON.

Run by `benchmarks/register.py`, one process for each client and round, so that imports and
leftovers of one do not weigh on another. Needs nothing but the client: azure-iot-device lives in
an environment without aiodps.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from benchmarks.baseline import Server

Client = Callable[[Server, str, Path, Path], Awaitable[str]]
"""Provisions one device."""
Harness = Callable[[Server, list[Path], int], Coroutine[None, None, list[float]]]
"""Provisions all of them, a number at a time; returns seconds for each."""


def load(name: str) -> Harness:
    """Import one client only."""
    module, _, function = name.partition(":")
    imported = getattr(__import__(f"benchmarks.{module}", fromlist=[function]), function)
    return imported if module == "harness" else each_by(imported)


def each_by(client: Client) -> Harness:
    """Make a plain harness of a client."""

    async def run(server: Server, devices: list[Path], concurrency: int) -> list[float]:
        places = asyncio.Semaphore(concurrency)
        latencies: list[float] = []

        async def one(chain: Path) -> None:
            key = chain.with_name(chain.name.replace("_chain.pem", "_key.pem"))
            async with places:
                began = time.perf_counter()
                await client(server, chain.name.removesuffix("_chain.pem"), chain, key)
                latencies.append(time.perf_counter() - began)

        await asyncio.gather(*(one(device) for device in devices))
        return latencies

    return run


def main() -> None:
    """Measure around the provisioning only; the first device warms up and is not counted."""
    name, server_json, folder, count, concurrency = sys.argv[1:]
    server = Server(**json.loads(server_json))
    run = load(name)
    devices = sorted(Path(folder).glob("*_chain.pem"))[: int(count) + 1]
    asyncio.run(run(server, devices[:1], 1))

    rss = resident()
    cpu, wall = time.process_time(), time.perf_counter()
    most = watch()
    latencies = asyncio.run(run(server, devices[1:], int(concurrency)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    threads, descriptors, peak = most()
    print(
        json.dumps(
            {
                "client": name,
                "devices": len(latencies),
                "cpu_ms": cpu / len(latencies) * 1000,
                "wall_s": wall,
                "per_s": len(latencies) / wall,
                "latencies": latencies,
                "threads": threads,
                "descriptors": descriptors,
                "kib_each": (peak - rss) / 1024 / int(concurrency),
            }
        )
    )


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def watch() -> Callable[[], tuple[int, int, int]]:
    """Look for the most threads, descriptors and memory, from a thread that is not counted."""
    threads = descriptors = memory = 0
    done = threading.Event()

    def look() -> None:
        nonlocal threads, descriptors, memory
        while not done.wait(0.01):
            threads = max(threads, threading.active_count() - 1)
            descriptors = max(descriptors, len(os.listdir("/proc/self/fd")))  # noqa: PTH208
            memory = max(memory, resident())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()

    def stop() -> tuple[int, int, int]:
        done.set()
        thread.join()
        return threads, descriptors, memory

    return stop


if __name__ == "__main__":
    main()
