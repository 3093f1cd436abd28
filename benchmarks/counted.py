"""Provision devices one after the other, for whoever counts what this process does.

    python -m benchmarks.counted ours:rest SERVER TURNS FOLDER DEVICES [--calls]

With `--calls` it counts itself, and prints the calls of each device, by package. Run by
`benchmarks/costs.py`, which counts from outside what cannot be counted here, and has a service
that takes turns with this process (`benchmarks/turns.py`).
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from benchmarks.baseline import Server
from benchmarks.one_client import Harness, load
from benchmarks.packages import by_package
from benchmarks.turns import ClientSelector

WARM_UP = 5
"""Devices before the first that is counted."""
MARK = "getppid"
"""A system call that nothing else makes: there is one before each device, and one at the end."""
_TURNS = ClientSelector.select.__code__.co_filename


def calls_of(work: Callable[[], None]) -> dict[str, int]:
    """Count calls by package: of its own functions, and those that it makes to functions of C."""
    files: Counter[str] = Counter()

    def on_event(frame: FrameType, event: str, _argument: object) -> None:
        if event in {"call", "c_call"}:
            files[frame.f_code.co_filename] += 1

    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(None)

    del files[_TURNS]
    return by_package(files)


def main() -> None:
    """Provision, and print the calls of each device, if asked to."""
    name, server_json, turn, folder, devices, *options = sys.argv[1:]
    server, run = Server(**json.loads(server_json)), load(name)
    chains = sorted(Path(folder).glob("*_chain.pem"))[: WARM_UP + int(devices)]
    with asyncio.Runner(loop_factory=lambda: _event_loop(int(turn))) as loop:
        loop.run(run(server, chains[:WARM_UP], 1))
        gc.collect()
        gc.disable()  # its turns depend on what was there before
        counted: list[dict[str, int]] = []
        for chain in chains[WARM_UP:]:
            os.getppid()
            one = _one(loop, run, server, chain)
            if options == ["--calls"]:
                counted.append(calls_of(one))
            else:
                one()

        os.getppid()

    print(json.dumps(counted))


def _event_loop(turn: int) -> asyncio.SelectorEventLoop:
    return asyncio.SelectorEventLoop(ClientSelector(turn))


def _one(loop: asyncio.Runner, run: Harness, server: Server, chain: Path) -> Callable[[], None]:
    return lambda: loop.run(run(server, [chain], 1))


if __name__ == "__main__":
    main()
