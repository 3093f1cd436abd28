"""Load of the generator: measured while devices run, for `aiodps.fleet.measure.limits`."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import anyio

from aiodps.errors import ResourceError
from aiodps.fleet.measure.loop_lag import LoopLag
from aiodps.fleet.measure.percentiles import percentile
from aiodps.fleet.measure.processor import BUSY, Usage, usage

if sys.platform != "win32":
    import resource

_SPARE_FDS = 64
"""File descriptors for everything but devices."""
_ENOUGH_FDS = 10_240
"""The soft limit where the hard one is infinite; macOS allows no more (`OPEN_MAX`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorLoad:
    """Load of the generator, in one session of one shard or at most in all of them.

    Times are seconds. What is called a share of devices is of those that started in such seconds:
    a tail in which the last devices only wait does not make a run look idle.
    """

    loop_lag_mean: float = 0.0
    """How late the event loop was; each second counts as often as devices started in it."""
    loop_lag_p99: float = 0.0
    """For one hundredth of the time, the event loop was later."""
    loop_lag_p999: float = 0.0
    """For one thousandth of the time, the event loop was later."""
    loop_lag_max: float = 0.0
    start_lag_p50: float = 0.0
    """From the time when a device could start to its actual start."""
    start_lag_p99: float = 0.0
    start_lag_max: float = 0.0
    cpu_share: float = 0.0
    """CPU time divided by wall time; 1.0 is one core."""
    cpu_share_max: float = 0.0
    """The same in the busiest second."""
    busy_seconds: float = 0.0
    """Seconds in which a core was more than 90 % busy."""
    busy_devices: float = 0.0
    """Share of devices."""
    starved_seconds: float = 0.0
    """Seconds in which it ran on a core, or waited for one, more than 90 % of the time."""
    starved_devices: float = 0.0
    """Share of devices."""
    run_delay: float | None = None
    """Time in which the event loop could have run and got no core; None if it is not known."""
    throttled_share: float | None = None
    """Share of the time for which a CPU quota stopped the process; None if it is not known."""
    throttled_mean: float | None = None
    """Mean length of such a stop; None if it is not known."""
    fds_max: int = 0
    """Most file descriptors open at once; 0 if the system does not report it."""
    fds_limit: int = 0
    """0 if the system does not report it."""
    memory_max: int = 0
    """Peak memory of the process in bytes; 0 if the system does not report it."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self | None:
        """Read the members of a load; None if a figure is absent: it is not known."""
        if data is None or data.keys() != {field.name for field in fields(cls)}:
            return None

        absent = {name for name, value in data.items() if value is None}
        return cls(**data) if absent <= _NOT_TOLD_EVERYWHERE else None


_NOT_TOLD_EVERYWHERE = {"run_delay", "throttled_share", "throttled_mean"}
"""Figures that not every kernel reports."""


def worst(loads: Sequence[GeneratorLoad]) -> GeneratorLoad:
    """Return the greatest value of each field: one shard that is late makes the run late."""
    if not loads:
        return GeneratorLoad()

    return GeneratorLoad(
        **{
            field.name: _greatest(getattr(each, field.name) for each in loads)
            for field in fields(GeneratorLoad)
        }
    )


def _greatest(values: Iterable[Any]) -> Any:
    return max((value for value in values if value is not None), default=None)


@dataclass(frozen=True, slots=True)
class _Second:
    """One second of the run; longer if the event loop was held up."""

    length: float
    devices: int
    """Devices that started in it."""
    lag: float
    """Mean loop lag."""
    cpu: float
    """Share of a core that was used."""
    wanted: float
    """Share of a core that was used or waited for."""


class SelfMonitor:
    """Measures the load of this process and its event loop."""

    def __init__(
        self, *, begin: float = -math.inf, read_usage: Callable[[], Usage] = usage
    ) -> None:
        """Prepare the measurement.

        Args:
            begin: When devices begin to start, on the event loop's clock: nothing that happens
                earlier is measured.
            read_usage: Returns the use of the processor so far.
        """
        self._begin = begin
        self._read_usage = read_usage
        self._lag: LoopLag | None = None
        self._seconds: list[_Second] = []
        self._ticks_seen = 0
        self._devices_seen = 0
        self._start_lags: list[float] = []
        self._fds = 0
        self._first = self._last = read_usage()

    async def run(self) -> None:
        """Measure until cancelled."""
        await anyio.sleep_until(self._begin)
        self._lag = lag = LoopLag(begin=anyio.current_time())
        self._first = self._last = self._read_usage()
        self._fds = open_fd_count()
        second_ends = lag.due + 1
        while True:
            await anyio.sleep_until(lag.due)
            now = anyio.current_time()
            lag.wake(now)
            if now >= second_ends:
                second_ends = now + 1
                self._end_second(lag)

    def recent_loop_lag(self) -> float:
        """Return the greatest lag of the event loop in the last second or so, in seconds."""
        return max(self._lag.values[-50:], default=0.0) if self._lag else 0.0

    def record_start(self, lag: float) -> None:
        """Record the start lag of one device in seconds."""
        self._start_lags.append(max(0.0, lag))

    def generator_load(self) -> GeneratorLoad:
        """Return the load so far."""
        now = self._read_usage()
        seconds = [*self._seconds, self._second(now)]
        lags = sorted(self._lag.values) if self._lag else []
        start_lags = sorted(self._start_lags)
        total = _change(self._first, now)
        wall = max(total.wall, 1e-9)
        busy = [one for one in seconds if one.cpu > BUSY]
        starved = [one for one in seconds if one.wanted > BUSY >= one.cpu]
        return GeneratorLoad(
            loop_lag_mean=_mean_lag(seconds),
            loop_lag_p99=_percentile(lags, "99"),
            loop_lag_p999=_percentile(lags, "99.9"),
            loop_lag_max=_percentile(lags, "100"),
            start_lag_p50=_percentile(start_lags, "50"),
            start_lag_p99=_percentile(start_lags, "99"),
            start_lag_max=_percentile(start_lags, "100"),
            cpu_share=total.cpu / wall,
            cpu_share_max=max(one.cpu for one in seconds),
            busy_seconds=sum(one.length for one in busy),
            busy_devices=self._share_of_devices(busy),
            starved_seconds=sum(one.length for one in starved),
            starved_devices=self._share_of_devices(starved),
            run_delay=total.delay,
            throttled_share=None if total.throttled is None else total.throttled / wall,
            throttled_mean=None
            if total.throttled is None
            else total.throttled / max(total.stops, 1),
            fds_max=max(self._fds, open_fd_count()),
            fds_limit=fd_limit(),
            memory_max=_peak_memory(),
        )

    def _second(self, now: Usage) -> _Second:
        """Describe the time since the last second's end; less than a second counts as one."""
        change = _change(self._last, now)
        length = max(change.wall, 1.0)
        lags = self._lag.values[self._ticks_seen :] if self._lag else ()
        return _Second(
            length,
            devices=len(self._start_lags) - self._devices_seen,
            lag=math.fsum(lags) / max(len(lags), 1),
            cpu=change.cpu / length,
            wanted=(change.cpu + (change.delay or 0.0)) / length,
        )

    def _end_second(self, lag: LoopLag) -> None:
        now = self._read_usage()
        self._seconds.append(self._second(now))
        self._last = now
        self._ticks_seen = len(lag.values)
        self._devices_seen = len(self._start_lags)
        self._fds = max(self._fds, open_fd_count())

    def _share_of_devices(self, seconds: Iterable[_Second]) -> float:
        return sum(one.devices for one in seconds) / max(len(self._start_lags), 1)


def _mean_lag(seconds: Sequence[_Second]) -> float:
    """Return the mean lag as devices met it; that of all seconds if none started."""
    weights = [one.devices for one in seconds]
    if not any(weights):
        weights = [1] * len(seconds)

    lags = (one.lag * weight for one, weight in zip(seconds, weights, strict=True))
    return math.fsum(lags) / sum(weights)


def _change(before: Usage, after: Usage) -> Usage:
    """Return what was used in between."""
    return Usage(
        wall=after.wall - before.wall,
        cpu=after.cpu - before.cpu,
        delay=_difference(before.delay, after.delay),
        throttled=_difference(before.throttled, after.throttled),
        stops=after.stops - before.stops,
    )


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _percentile(ordered: Sequence[float], percent: str) -> float:
    return percentile(ordered, percent) if ordered else 0.0


def open_fd_count() -> int:
    """Return how many file descriptors are open; 0 if the system does not report it."""
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (once a second)
    except OSError:
        return 0


def fd_limit() -> int:
    """Return how many file descriptors may be open; 0 if the system does not report it."""
    if sys.platform == "win32":
        return 0

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_fd_limit(devices: int) -> None:
    """Raise the soft limit of file descriptors to the hard one.

    Args:
        devices: Most devices in flight, as far as it is known.

    Raises:
        ResourceError: If the hard limit is too low.
    """
    if sys.platform == "win32":
        return

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

    if sys.platform == "win32":
        return 0

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
