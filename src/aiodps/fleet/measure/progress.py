"""Progress of a shard or a run: counts, errors and recent latencies."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from aiodps.fleet.measure.sample import Outcome, Sample
from aiodps.fleet.measure.transport_progress import (
    TransportCounter,
    TransportProgress,
    total_of_transport,
)

_RECENT = 500
"""Latencies kept for the live display; the report uses all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress of a shard, or of a whole run."""

    total: int = 0
    """All registrations."""
    assigned: int = 0
    failed: int = 0
    in_flight: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    """Failures by error class, with the service's error code if it gave one."""
    recent: tuple[float, ...] = ()
    """Latencies of the last assigned devices, in seconds."""
    transports: Mapping[str, TransportProgress] = field(default_factory=dict)
    """Of this session, by name of the transport."""
    loop_lag: float = 0.0
    """Seconds by which the event loop was late at most, in the last second or so."""

    @property
    def left(self) -> int:
        """Registrations that have not ended."""
        return self.total - self.assigned - self.failed

    def to_json(self) -> dict[str, Any]:
        """Return the progress as plain data."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        transports = {name: each.to_json() for name, each in self.transports.items()}
        return {**values, "transports": transports}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` returned."""
        transports = {
            name: TransportProgress.from_json(each) for name, each in data["transports"].items()
        }
        return cls(**{**data, "recent": tuple(data["recent"]), "transports": transports})


def total_progress(shards: Iterable[Progress]) -> Progress:
    """Return the progress of several shards together."""
    each = list(shards)
    names = sorted({name for shard in each for name in shard.transports})
    return Progress(
        total=sum(shard.total for shard in each),
        assigned=sum(shard.assigned for shard in each),
        failed=sum(shard.failed for shard in each),
        in_flight=sum(shard.in_flight for shard in each),
        errors=dict(sum((Counter(shard.errors) for shard in each), Counter())),
        recent=tuple(latency for shard in each for latency in shard.recent),
        transports={
            name: total_of_transport(
                shard.transports[name] for shard in each if name in shard.transports
            )
            for name in names
        },
        loop_lag=max((shard.loop_lag for shard in each), default=0.0),
    )


class ProgressCounter:
    """Counts registrations while a shard runs."""

    def __init__(self, *, total: int, assigned: int = 0, failed: int = 0) -> None:
        self._total = total
        self._ended = Counter({Outcome.ASSIGNED: assigned, Outcome.FAILED: failed})
        self._errors: Counter[str] = Counter()
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._transports: defaultdict[str, TransportCounter] = defaultdict(TransportCounter)

    def begin(self, transport: str) -> None:
        """Count a registration as in flight."""
        self._transports[transport].begin()

    def leave(self, transport: str) -> None:
        """Count a registration as no longer in flight."""
        self._transports[transport].in_flight -= 1

    def end(self, sample: Sample) -> None:
        """Count the outcome of a registration that is in the journal."""
        self._ended[sample.outcome] += 1
        self._transports[sample.transport].end(sample)
        if sample.outcome is Outcome.ASSIGNED:
            self._recent.append(sample.latency)
        elif sample.outcome is Outcome.FAILED:
            self._errors[error_name(sample)] += 1

    def progress(self) -> Progress:
        """Return the progress so far."""
        return Progress(
            total=self._total,
            assigned=self._ended[Outcome.ASSIGNED],
            failed=self._ended[Outcome.FAILED],
            in_flight=sum(each.in_flight for each in self._transports.values()),
            errors=dict(self._errors),
            recent=tuple(self._recent),
            transports={name: each.progress() for name, each in self._transports.items()},
        )


def error_name(sample: Sample) -> str:
    """Return the error class of a failure, with the service's error code if it gave one."""
    code = f" {sample.error_code}" if sample.error_code is not None else ""
    return f"{sample.error_class}{code}"
