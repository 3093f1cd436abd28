"""The generator watches itself: what it could not keep up with is not the service's doing."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import anyio

from aiodps.errors import ResourceError
from aiodps.fleet.measure.percentiles import percentile

TICK = 0.1
"""Seconds between two looks."""
MOST_LOOP_LAG = 0.1
"""Seconds; with a p99 over it the event loop was late for everything else too."""
MOST_START_LAG = 0.25
"""Seconds; with a p99 over it devices began noticeably later than they should have."""
MOST_CPU = 0.9
"""Share of one core; over it, responses wait for the generator."""
MOST_DESCRIPTORS = 0.9
"""Share of the descriptors this process may have."""
_SPARE = 64
"""Descriptors that are not for devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorLoad:
    """How hard the generator had to work, in one session of one shard or in all of them."""

    loop_lag_p99: float = 0.0
    """Seconds that the event loop was late."""
    loop_lag_max: float = 0.0
    start_lag_p99: float = 0.0
    """Seconds that a device began late although nothing held it back."""
    start_lag_max: float = 0.0
    cpu_share: float = 0.0
    """Processor time by wall time: 1.0 is one core."""
    fds_max: int = 0
    """Most descriptors open at once; 0 where the system does not tell."""
    fds_limit: int = 0
    memory_max: int = 0
    """Most memory the process had, in bytes."""

    def reasons(self) -> list[str]:
        """Say why the run was limited by its generator; nothing if it was not."""
        checks = (
            (self.loop_lag_p99 > MOST_LOOP_LAG, f"event loop {self.loop_lag_p99:.2f} s late"),
            (
                self.start_lag_p99 > MOST_START_LAG,
                f"devices started {self.start_lag_p99:.2f} s late",
            ),
            (self.cpu_share > MOST_CPU, f"{self.cpu_share:.0%} of a core busy"),
            (
                self.fds_max > MOST_DESCRIPTORS * self.fds_limit > 0,
                f"{self.fds_max} of {self.fds_limit} file descriptors open",
            ),
        )
        return [reason for holds, reason in checks if holds]


def worst(strains: Sequence[GeneratorLoad]) -> GeneratorLoad:
    """Return the worst of each figure: one shard that is late makes the run late."""
    if not strains:
        return GeneratorLoad()

    names = [field.name for field in fields(GeneratorLoad)]
    return GeneratorLoad(**{name: max(getattr(each, name) for each in strains) for name in names})


class SelfMonitor:
    """Watches one event loop."""

    def __init__(self) -> None:
        self._lags: list[float] = []
        self._start_lags: list[float] = []
        self._fds = 0
        self._began = time.monotonic()
        self._cpu = time.process_time()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            due = anyio.current_time() + TICK
            await anyio.sleep_until(due)
            self._lags.append(anyio.current_time() - due)
            self._fds = max(self._fds, open_descriptors())

    def note_start(self, lag: float) -> None:
        """Take note of how late a device began that nothing held back."""
        self._start_lags.append(max(0.0, lag))

    def generator_load(self) -> GeneratorLoad:
        """Say how hard it was so far."""
        wall = max(time.monotonic() - self._began, 1e-9)
        return GeneratorLoad(
            loop_lag_p99=_p99(self._lags),
            loop_lag_max=max(self._lags, default=0.0),
            start_lag_p99=_p99(self._start_lags),
            start_lag_max=max(self._start_lags, default=0.0),
            cpu_share=(time.process_time() - self._cpu) / wall,
            fds_max=self._fds,
            fds_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            memory_max=_peak_memory(),
        )


def _p99(values: Sequence[float]) -> float:
    return percentile(sorted(values), "99") if values else 0.0


def open_descriptors() -> int:
    """Count this process's descriptors; 0 where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (ten times a second)
    except OSError:
        return 0


def raise_fd_limit(devices: int) -> None:
    """Make sure that so many devices can be in flight at once.

    Raises:
        ResourceError: If the system's limit is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = devices + _SPARE
    if needed <= soft or soft == resource.RLIM_INFINITY:
        return

    if hard != resource.RLIM_INFINITY and needed > hard:
        raise ResourceError(
            f"{devices} devices at once need {needed} file descriptors, and the limit is {hard}",
            hint="raise `ulimit -Hn`, give a lower --concurrency, or more --shards",
        )

    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _peak_memory() -> int:
    try:
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
