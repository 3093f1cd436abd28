"""Monitoring of the load generator itself: a generator at its limit distorts latencies."""

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
"""Seconds between two measurements."""
MAX_LOOP_LAG = 0.1
"""Greatest p99 of the event loop's lag in seconds; beyond it, everything else is late too."""
MAX_START_LAG = 0.25
"""Greatest p99 of the devices' start lag in seconds; beyond it, arrivals are distorted."""
MAX_CPU_SHARE = 0.9
"""Greatest share of one core; beyond it, responses wait for the generator."""
MAX_FD_SHARE = 0.9
"""Greatest share of the file descriptors that the process may open."""
_SPARE_FDS = 64
"""File descriptors for everything but devices."""
_ENOUGH_FDS = 10_240
"""The soft limit where the hard one is infinite; macOS allows no more (`OPEN_MAX`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorLoad:
    """Load of the generator, in one session of one shard or at most in all of them."""

    loop_lag_p99: float = 0.0
    """Seconds that the event loop was late."""
    loop_lag_max: float = 0.0
    start_lag_p99: float = 0.0
    """Seconds between the time when a device could start and its actual start."""
    start_lag_max: float = 0.0
    cpu_share: float = 0.0
    """CPU time divided by wall time; 1.0 is one core."""
    fds_max: int = 0
    """Most file descriptors open at once; 0 if the system does not tell."""
    fds_limit: int = 0
    memory_max: int = 0
    """Peak memory of the process in bytes."""

    def reasons(self) -> list[str]:
        """Return why the generator limited the run; empty if it did not."""
        checks = {
            f"event loop {self.loop_lag_p99:.2f} s late": self.loop_lag_p99 > MAX_LOOP_LAG,
            f"devices started {self.start_lag_p99:.2f} s late": self.start_lag_p99 > MAX_START_LAG,
            f"{self.cpu_share:.0%} of a core busy": self.cpu_share > MAX_CPU_SHARE,
            f"{self.fds_max} of {self.fds_limit} file descriptors open": self.fds_max
            > MAX_FD_SHARE * self.fds_limit
            > 0,
        }
        return [reason for reason, exceeded in checks.items() if exceeded]


def worst(loads: Sequence[GeneratorLoad]) -> GeneratorLoad:
    """Return the greatest value of each field: one shard that is late makes the run late."""
    if not loads:
        return GeneratorLoad()

    names = [field.name for field in fields(GeneratorLoad)]
    return GeneratorLoad(**{name: max(getattr(each, name) for each in loads) for name in names})


class SelfMonitor:
    """Measures the load of this process and its event loop."""

    def __init__(self) -> None:
        self._lags: list[float] = []
        self._start_lags: list[float] = []
        self._fds = 0
        self._started = time.monotonic()
        self._cpu = time.process_time()

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = anyio.current_time() + TICK
            await anyio.sleep_until(due)
            self._lags.append(anyio.current_time() - due)
            self._fds = max(self._fds, open_fd_count())

    def recent_loop_lag(self) -> float:
        """Return the greatest lag of the event loop in the last second or so, in seconds."""
        return max(self._lags[-10:], default=0.0)

    def record_start(self, lag: float) -> None:
        """Record the start lag of one device in seconds."""
        self._start_lags.append(max(0.0, lag))

    def generator_load(self) -> GeneratorLoad:
        """Return the load so far."""
        wall = max(time.monotonic() - self._started, 1e-9)
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


def open_fd_count() -> int:
    """Return how many file descriptors are open; 0 if the system does not tell."""
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (ten times a second)
    except OSError:
        return 0


def raise_fd_limit(devices: int) -> None:
    """Raise the soft limit of file descriptors to the hard one.

    Args:
        devices: Most devices in flight, as far as it is known.

    Raises:
        ResourceError: If the hard limit is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = devices + _SPARE_FDS
    if soft == resource.RLIM_INFINITY:
        return

    if hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed, _ENOUGH_FDS), hard))
        return

    if needed > hard:
        raise ResourceError(
            f"{devices} devices at once need {needed} file descriptors, and the limit is {hard}",
            hint="raise `ulimit -Hn`, give a lower --concurrency, or more --shards",
        )

    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _peak_memory() -> int:
    try:
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
