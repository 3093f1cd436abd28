"""An emulator that runs in another thread, for code that blocks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anyio
from tests.emulated import emulator

from aiodps.emulator import Emulator


@dataclass(slots=True)
class Server:
    """A running emulator."""

    emulator: Emulator


@contextlib.contextmanager
def server(**settings: Any) -> Iterator[Server]:
    """Run an emulator in a thread until the block ends."""
    ready = threading.Event()
    running: list[Emulator] = []
    token: list[Any] = []
    over: list[anyio.Event] = []

    async def serve() -> None:
        async with emulator(**settings) as dps:
            over.append(anyio.Event())
            token.append(anyio.lowlevel.current_token())
            running.append(dps)
            ready.set()
            await over[0].wait()

    thread = threading.Thread(target=anyio.run, args=(serve,))
    thread.start()
    assert ready.wait(10)
    try:
        yield Server(running[0])
    finally:
        anyio.from_thread.run_sync(over[0].set, token=token[0])
        thread.join(10)
