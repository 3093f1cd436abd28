"""Provision N devices with one client in this process; print what it cost as JSON.

Run by `benchmarks/register.py`, one process for each client and round, so that imports and
leftovers of one do not weigh on another.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.baseline import Server

Client = Callable[[Server, str, Path, Path], Awaitable[str]]


def load(name: str) -> Client:
    """Import one client only."""
    module, _, function = name.partition(":")
    imported = __import__(f"benchmarks.{module}", fromlist=[function])
    client: Client = getattr(imported, function)
    return client


async def run(
    client: Client, server: Server, devices: list[Path], concurrency: int
) -> list[float]:
    """Provision all devices, a number of them at a time; return seconds for each."""
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


def main() -> None:
    """Measure around the provisioning only; the first device warms up and is not counted."""
    name, server_json, folder, concurrency = sys.argv[1:]
    server = Server(**json.loads(server_json))
    client = load(name)
    devices = sorted(Path(folder).glob("*_chain.pem"))
    asyncio.run(run(client, server, devices[:1], 1))

    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu, wall = time.process_time(), time.perf_counter()
    threads = watch_threads()
    latencies = asyncio.run(run(client, server, devices[1:], int(concurrency)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    latencies.sort()
    print(
        json.dumps(
            {
                "client": name,
                "devices": len(latencies),
                "cpu_ms": cpu / len(latencies) * 1000,
                "per_s": len(latencies) / wall,
                "p50_ms": latencies[len(latencies) // 2] * 1000,
                "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
                "threads": threads(),
                "kib_each": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rss)
                / int(concurrency),
            }
        )
    )


def watch_threads() -> Callable[[], int]:
    """Count the most threads there are, from a thread of its own (which is not counted)."""
    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.005):
            most = max(most, threading.active_count() - 1)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def stop() -> int:
        done.set()
        thread.join()
        return most

    return stop


if __name__ == "__main__":
    main()
