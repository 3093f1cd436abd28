"""The kernel's accounting of CPU time: time used, time waited for a core, stops by a quota."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUSY: Final = 0.9
"""Share of a second; a core that is used for more of it has a queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Totals of this process so far, in seconds."""

    wall: float
    """On a monotonic clock."""
    cpu: float
    """Processor time used."""
    delay: float | None = None
    """Time in which the event loop's thread could have run and had no core (Linux, schedstat);
    None if the kernel does not report it."""
    throttled: float | None = None
    """Time for which the CPU quota of the control group has stopped it; None if there is none."""
    stops: int = 0
    """Number of periods in which it did."""


def usage() -> Usage:
    """Return the totals so far; called in the thread of the event loop."""
    throttled, stops = _throttling()
    return Usage(
        wall=time.monotonic(),
        cpu=time.process_time(),
        delay=run_delay(),
        throttled=throttled,
        stops=stops,
    )


def run_delay(schedstat: Path = Path("/proc/thread-self/schedstat")) -> float | None:
    """Return how long this thread has waited for a core; None if the kernel does not report it.

    The file has three numbers: nanoseconds on a core, nanoseconds waiting for one, and time slices
    (Linux, Documentation/scheduler/sched-stats.rst).
    """
    try:
        return int(schedstat.read_text("ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def _throttling() -> tuple[float | None, int]:
    path = _cpu_stat()
    found = None if path is None else throttling(path)
    return (None, 0) if found is None else found


def throttling(cpu_stat: Path) -> tuple[float, int] | None:
    """Return for how many seconds, and in how many periods, a quota has stopped the group.

    `throttled_usec` is of control groups version 2, `throttled_time` (nanoseconds) of version 1.
    None if the file has neither: the group has no CPU controller.
    """
    try:
        lines = cpu_stat.read_text("ascii").splitlines()
        facts = {name: int(value) for name, value in map(str.split, lines)}
        stops = facts["nr_throttled"]
    except (OSError, ValueError, KeyError):
        return None

    return facts.get("throttled_usec", facts.get("throttled_time", 0) / 1000) / 1e6, stops


@functools.cache
def _cpu_stat() -> Path | None:
    return next((path for path in cpu_stat_paths() if throttling(path) is not None), None)


def cpu_stat_paths(
    groups: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> Iterator[Path]:
    """Yield where the `cpu.stat` of this process's control group may be.

    A container often sees its own group at the top, whatever its path is on the host.
    """
    try:
        lines = groups.read_text("utf-8").splitlines()
    except OSError:
        return

    for _, controllers, path in (line.split(":", 2) for line in lines):
        if not controllers or "cpu" in controllers.split(","):
            top = mount / controllers
            yield top / path.lstrip("/") / "cpu.stat"
            yield top / "cpu.stat"
