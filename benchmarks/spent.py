"""Processor time: of a client, of the server, and of a whole machine; read from Linux's /proc."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return what a process has spent so far, in steps of a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_seconds() -> float:
    """Return what all processors have been busy for so far; stolen time counts, idle does not.

    Nor do interrupts, which are nobody's: on loopback most of them are those of what is measured.
    """
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    user, nice, system, _idle, _io_wait, _irq, _soft_irq, steal = map(int, first)
    return (user + nice + system + steal) / TICKS


def own_seconds() -> float:
    """Return what this process and those that it has waited for have spent."""
    return time.process_time() + children_seconds()


def children_seconds() -> float:
    """Return what the processes that this one has waited for have spent."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of the client's and the server's processor, and of the clock."""

    client: float
    server: float
    wall: float

    @classmethod
    def so_far(cls, server_pid: int, *, children: bool) -> Spent:
        """Read all three; the client is this process, or the programs that it has run."""
        client = children_seconds() if children else time.process_time()
        return cls(client, cpu_seconds(server_pid), time.perf_counter())

    def since(self, before: Spent, *, devices: int) -> dict[str, Any]:
        """Return the figures of a client that has provisioned so many devices meanwhile."""
        client, server = self.client - before.client, self.server - before.server
        wall = self.wall - before.wall
        return {
            "devices": devices,
            "cpu_ms": client / devices * 1000,
            "server_ms": server / devices * 1000,
            "wall_s": wall,
            "per_s": devices / wall,
            "busy": client / wall * 100,
            "server_busy": server / wall * 100,
        }
