"""Whether the generator limited a run, and why: its load against the latencies that it measured.

A latency is meant to be right within 5 % or 20 ms, whichever is more. A run is limited if the
generator alone may have changed p50, p99 or p99.9 by more than that. Below 20 ms lies the ordinary
business of an event loop that also carries out TLS handshakes: it alarms nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from aiodps.fleet.measure import units
from aiodps.fleet.measure.generator_load import GeneratorLoad, worst

SHARE: Final = 0.05
"""Share of a latency by which the generator may change it."""
FLOOR: Final = 0.02
"""Seconds by which it may change any."""
_FEW: Final = 0.05
"""Share of devices that may start while a core is busy."""
_RARE: Final = 0.01
"""Share of the time; what happens less often does not change p99."""
_MAX_FD_SHARE: Final = 0.9
"""Share of the file descriptors that the process may open."""
_HANDSHAKE_EVENTS: Final = 3
"""Waits of a connection for its peer: for TCP, and twice for TLS."""
_SESSION_EVENTS: Final = 2
"""Waits of an MQTT session: for CONNACK, and for SUBACK."""

_Transports: TypeAlias = Mapping[str, Mapping[str, Any]]
"""`transports` of a summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The percentiles that a load may have changed, in seconds; None for those not measured."""

    p50: float | None = None
    p99: float | None = None
    p999: float | None = None
    events: float = 0.0
    """How often a device waits for the event loop, on average."""


@dataclass(frozen=True, slots=True)
class _Delay:
    """A delay of the generator's own, and the percentile that contains it."""

    seconds: float
    name: str
    latency: float | None
    where: str | None = None
    """Where it was so long; None for at the same percentile."""

    @property
    def excess(self) -> float:
        """The delay as a multiple of what is tolerated."""
        return self.seconds / tolerance(self.latency)

    def __str__(self) -> str:
        where = self.where or f"at {self.name}"
        text = f"{units.duration(self.seconds)} {where}"
        if not self.latency:
            return text

        return f"{text}, {units.share(self.seconds / self.latency)} of latency {self.name}"


def tolerance(latency: float | None) -> float:
    """Return by how many seconds the generator may change a latency; None if it is unknown."""
    return max(FLOOR, SHARE * (latency or 0.0))


def generator_facts(
    loads: Sequence[GeneratorLoad | None], transports: _Transports
) -> dict[str, Any]:
    """Return the member `generator` of a summary.

    Args:
        loads: The load in each session of each shard; None where it is not known.
        transports: The member `transports` of the summary.

    Returns:
        `limited` (None if it is not known), `why`, `unknown` (why it is not known; None if it
        is), and the greatest load.
    """
    known = [load for load in loads if load is not None]
    load = asdict(worst(known))
    why = [*load_reasons(worst(known), latency_of(transports)), *_wait_reasons(transports)]
    unknown = _unknown(len(known), len(loads))
    return {
        "limited": True if why else None if unknown else False,
        "why": why,
        "unknown": unknown,
        **(load if known else dict.fromkeys(load)),
    }


def _unknown(known: int, sessions: int) -> str | None:
    if not sessions:
        return "nobody measured the load of the generator"

    if known < sessions:
        return (
            f"{sessions - known} of {sessions} sessions left no measurement of the generator: "
            "killed, or of another version"
        )

    return None


def latency_of(transports: _Transports) -> Latency:
    """Return the latency of the quickest transport, in which a delay weighs most."""
    found = [
        (facts, latency)
        for facts in transports.values()
        if (latency := facts["latency"] or facts["time_to_failure"]) is not None
    ]
    if not found:
        return Latency()

    return Latency(
        p50=min(latency["p50"] for _, latency in found),
        p99=min(latency["p99"] for _, latency in found),
        p999=min(
            (each["p99.9"] for _, each in found if "p99.9" not in each["unsupported"]),
            default=None,
        ),
        events=max(_events(facts) for facts, _ in found),
    )


def _events(facts: Mapping[str, Any]) -> float:
    """Return how often a device waits for the event loop: for its peer, and for timers."""
    requests: float = facts["register_requests"] + 2 * facts["polls"] + facts["retries"]
    session = _SESSION_EVENTS if "session" in facts["phases"] else 0
    devices: int = facts["devices"]
    return _HANDSHAKE_EVENTS + session + requests / devices


def load_reasons(load: GeneratorLoad, latency: Latency) -> Iterator[str]:
    """Yield why a load has limited a run: one sentence each, causes before their effects."""
    p50, p99, p999 = latency.p50, latency.p99, latency.p999
    yield from _processor_reasons(load, tolerance(p50))
    yield from _quota_reason(load, latency)
    if load.fds_max > _MAX_FD_SHARE * load.fds_limit > 0:
        yield f"{load.fds_max:,} of {load.fds_limit:,} file descriptors were open"

    lags = [
        _Delay(load.loop_lag_mean * latency.events, "p50", p50, "for each device on average"),
        _Delay(load.loop_lag_p99, "p99", p99),
        *([] if p999 is None else [_Delay(load.loop_lag_p999, "p99.9", p999)]),
    ]
    yield from _worst_delay("the event loop was late by", lags)
    starts = [_Delay(load.start_lag_p50, "p50", p50), _Delay(load.start_lag_p99, "p99", p99)]
    yield from _worst_delay("devices started late by", starts)


def _worst_delay(what: str, delays: Sequence[_Delay]) -> Iterator[str]:
    """Yield the delay that exceeds its tolerance most, if one does."""
    worst_one = max(delays, key=lambda delay: delay.excess, default=None)
    if worst_one is not None and worst_one.excess > 1:
        yield f"{what} {worst_one}"


def _processor_reasons(load: GeneratorLoad, tolerated: float) -> Iterator[str]:
    """Yield that a core was too busy: while devices started, and for longer than is tolerated.

    No device waits for a core for longer than it was busy in total.
    """
    if load.busy_devices > _FEW and load.busy_seconds > tolerated:
        yield (
            f"a core was over 90 % busy for {units.duration(load.busy_seconds)}, in which "
            f"{units.share(load.busy_devices)} of the devices started"
        )

    if load.starved_devices > _FEW and load.starved_seconds > tolerated:
        yield (
            "other processes used the cores, an emulator and other shards included: for "
            f"{units.duration(load.starved_seconds)} the generator had work for over 90 % of one "
            f"core, and in the whole run it waited {units.duration(load.run_delay)} for one"
        )


def _quota_reason(load: GeneratorLoad, latency: Latency) -> Iterator[str]:
    """Yield that a CPU quota stopped the process: the lag that such stops make by themselves."""
    share, stop = load.throttled_share or 0.0, load.throttled_mean or 0.0
    mean = _Delay(share * stop / 2 * latency.events, "p50", latency.p50)
    tail = _Delay(stop if share > _RARE else 0.0, "p99", latency.p99)
    if max(mean.excess, tail.excess) > 1:
        yield (
            f"its CPU quota (cgroup) stopped the generator for {units.share(share)} of the time, "
            f"{units.duration(stop)} at a time"
        )


_WAITS: Final = {
    "journal": "devices waited for the journal",
    "queue": "devices waited for their turn to connect (handshake limiter)",
}
"""Phases of a device in which it waits for the generator."""


def _wait_reasons(transports: _Transports) -> Iterator[str]:
    for phase, what in _WAITS.items():
        delays = [
            _Delay(facts["phases"][phase][name], name, facts["latency"][name])
            for facts in transports.values()
            if phase in facts["phases"]
            for name in ("p50", "p99")
        ]
        yield from _worst_delay(what, delays)
