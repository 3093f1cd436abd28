"""The processes of a run, observed from outside: processor time and memory by role."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import psutil

INTERVAL: Final = 1.0
"""Seconds between two looks, each of which takes some milliseconds of this process."""
ROLES: Final = ("leader", "shards", "emulator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the processes of each role have used and hold at a moment."""

    at: float
    """Seconds since 1970."""
    cpu: dict[str, float]
    """Seconds of user and system time since their start."""
    memory: dict[str, int]
    """Bytes; a page that several processes share counts once in all (PSS)."""

    @property
    def total_memory(self) -> int:
        """Bytes of all processes together."""
        return sum(self.memory.values())


@dataclass
class Processes:
    """This process, the emulator, and the shards: all other children."""

    emulator: int
    """Its process id."""
    on_look: Callable[[Look], None] = field(default=lambda _: None)
    """Called in the thread that looks."""
    looks: list[Look] = field(default_factory=list)
    _cpu: dict[int, tuple[str, float]] = field(default_factory=dict)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look every second until the block ends."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(INTERVAL):
                self.look()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def look(self) -> Look:
        """Look now; processes that have ended keep their last processor time."""
        here = psutil.Process()
        memory = dict.fromkeys(ROLES, 0)
        for process in [here, *here.children(recursive=True)]:
            role = "shards"
            if process == here or process.pid == self.emulator:
                role = "leader" if process == here else "emulator"

            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                self._cpu[process.pid] = role, times.user + times.system
                memory[role] += process.memory_full_info().pss

        cpu = dict.fromkeys(ROLES, 0.0)
        for role, seconds in self._cpu.values():
            cpu[role] += seconds

        found = Look(at=time.time(), cpu=cpu, memory=memory)
        self.looks.append(found)
        self.on_look(found)
        return found

    def most_memory(self) -> dict[str, int]:
        """Return the most memory of each role, and of all together at one moment."""
        most = {role: max(each.memory[role] for each in self.looks) for role in ROLES}
        return {"all": max(each.total_memory for each in self.looks), **most}
