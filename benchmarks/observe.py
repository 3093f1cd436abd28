"""Counts what a client holds, from outside: memory, threads, descriptors, connections."""

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
    """What a client holds, and how many connections the server has."""

    rss: int = 0
    """Bytes."""
    threads: int = 0
    descriptors: int = 0
    connections: int = 0
    """Sockets of the server: clients may have others, too."""

    @classmethod
    def by(cls, client: psutil.Process, server_pid: int) -> Held:
        """Count what is held now; nothing if one of them has ended."""
        try:
            return cls(
                client.memory_info().rss,
                client.num_threads(),
                len(_descriptors(client.pid)),
                sum(name.startswith("socket:") for name in _descriptors(server_pid)),
            )
        except (OSError, psutil.Error):
            return cls()

    def most(self, other: Held) -> Held:
        """Return the greater of each."""
        return Held(
            max(self.rss, other.rss),
            max(self.threads, other.threads),
            max(self.descriptors, other.descriptors),
            max(self.connections, other.connections),
        )


def _descriptors(pid: int) -> list[str]:
    names = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            names.append(str(Path(entry.path).readlink()))

    return names


class Observation:
    """The most that a process has held while it was observed."""

    def __init__(self, pid: int, server_pid: int) -> None:
        self._client, self._server_pid = psutil.Process(pid), server_pid
        self.before = self.most = self._now()

    def _now(self) -> Held:
        return Held.by(self._client, self._server_pid)

    @property
    def connections(self) -> int:
        """The most connections at once: those of the server beyond those of before."""
        return self.most.connections - self.before.connections

    @property
    def kib_each(self) -> float | None:
        """Growth of memory by connection that was really open; None if none was."""
        grown = self.most.rss - self.before.rss
        return grown / 1024 / self.connections if self.connections else None

    def figures(self, *, own: bool) -> dict[str, float | None]:
        """Return what is published; of a client that starts programs, its connections alone."""
        counted: dict[str, float | None] = {"connections": self.connections}
        if not own:
            return counted

        return counted | {
            "threads": self.most.threads,
            "descriptors": self.most.descriptors,
            "kib_each": self.kib_each,
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Look until the block ends."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(INTERVAL):
                self.most = self.most.most(self._now())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
