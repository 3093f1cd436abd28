"""Provision devices one after the other, for whoever counts what this process does.

    python -m benchmarks.counted ours:rest SERVER FOLDER DEVICES [--calls]

With `--calls` it counts itself, and prints the fewest calls of a device. Run by
`benchmarks/costs.py`, which counts from outside what cannot be counted here.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.baseline import Server
from benchmarks.one_client import Harness, load

WARM_UP = 5
"""Devices before the first that is counted."""
MARK = "getppid"
"""A system call that nothing else makes: there is one before each device, and one at the end."""


def calls_of(work: Callable[[], None]) -> int:
    """Count the functions of Python and C that are called."""
    count = 0

    def on_event(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(None)

    return count


def main() -> None:
    """Provision, and print the fewest calls of a device if asked to."""
    name, server_json, folder, devices, *options = sys.argv[1:]
    server, run = Server(**json.loads(server_json)), load(name)
    chains = sorted(Path(folder).glob("*_chain.pem"))[: WARM_UP + int(devices)]
    with asyncio.Runner() as loop:
        loop.run(run(server, chains[:WARM_UP], 1))
        gc.collect()
        gc.disable()  # its turns depend on what was there before
        counted: list[int] = []
        for chain in chains[WARM_UP:]:
            os.getppid()
            one = _one(loop, run, server, chain)
            if options == ["--calls"]:
                counted.append(calls_of(one))
            else:
                one()

        os.getppid()

    if counted:
        print(min(counted))


def _one(loop: asyncio.Runner, run: Harness, server: Server, chain: Path) -> Callable[[], None]:
    return lambda: loop.run(run(server, [chain], 1))


if __name__ == "__main__":
    main()
