"""Counts what another process holds: memory, threads, descriptors, connections."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

INTERVAL: Final = 0.05
"""Seconds between two looks, each of which takes about a millisecond of this process."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds."""

    rss: int = 0
    """Bytes."""
    threads: int = 0
    descriptors: int = 0
    sockets: int = 0

    @classmethod
    def by(cls, process: psutil.Process) -> Held:
        """Count what a process holds now; nothing of one that has ended."""
        try:
            names = _descriptors(process.pid)
            sockets = sum(name.startswith("socket:") for name in names)
            return cls(process.memory_info().rss, process.num_threads(), len(names), sockets)
        except (OSError, psutil.Error):
            return cls()

    def most(self, other: Held) -> Held:
        """Return the greater of each."""
        return Held(
            max(self.rss, other.rss),
            max(self.threads, other.threads),
            max(self.descriptors, other.descriptors),
            max(self.sockets, other.sockets),
        )


def _descriptors(pid: int) -> list[str]:
    names = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            names.append(str(Path(entry.path).readlink()))

    return names


class Observation:
    """The most that a process has held while it was observed."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self.most = Held.by(self._process)

    @property
    def connections(self) -> int:
        """The most connections at once: sockets beyond those of before."""
        return self.most.sockets - self.before.sockets

    @property
    def kib_each(self) -> float | None:
        """Growth of memory by connection that was really open; None if none was."""
        grown = self.most.rss - self.before.rss
        return grown / 1024 / self.connections if self.connections else None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Look until the block ends."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(INTERVAL):
                self.most = self.most.most(Held.by(self._process))

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
