"""`TransportProgress`: counts, latencies and their parts of one transport, during a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from aiodps.fleet.measure.histogram import Histogram, bucket_of, total_histogram
from aiodps.fleet.measure.sample import Outcome, Sample

REQUESTS: Final = ("register_requests", "polls", "throttled", "retries")
"""What is counted for each registration that ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportProgress:
    """Progress of one transport in this session: only ever more, but for those in flight."""

    started: int = 0
    in_flight: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Registrations that have ended, by outcome."""
    requests: Mapping[str, int] = field(default_factory=dict)
    """Those of registrations that have ended; see `REQUESTS`."""
    latencies: Histogram = field(default_factory=Histogram)
    """Of assigned devices."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Sums over assigned devices, by phase; and `start_lag`, `backoff` and `other`, so that all of
    them add up to the sum of the latencies."""

    def to_json(self) -> dict[str, Any]:
        """Return the progress as plain data."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "latencies": self.latencies.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned."""
        return cls(**{**data, "latencies": Histogram.from_json(data["latencies"])})


def total_of_transport(shards: Iterable[TransportProgress]) -> TransportProgress:
    """Return the progress of several shards together."""
    each = list(shards)
    return TransportProgress(
        started=sum(shard.started for shard in each),
        in_flight=sum(shard.in_flight for shard in each),
        outcomes=_sums(shard.outcomes for shard in each),
        requests=_sums(shard.requests for shard in each),
        latencies=total_histogram(shard.latencies for shard in each),
        seconds=_sums(shard.seconds for shard in each),
    )


def _sums(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)

    return dict(found)


class TransportCounter:
    """Counts the registrations of one transport."""

    def __init__(self) -> None:
        self._started = 0
        self.in_flight: int = 0
        self._outcomes: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._buckets: Counter[int] = Counter()
        self._seconds: Counter[str] = Counter()
        self._latency = 0.0

    def begin(self) -> None:
        """Count a registration as in flight."""
        self._started += 1
        self.in_flight += 1

    def end(self, sample: Sample) -> None:
        """Count the outcome of a registration."""
        self._outcomes[sample.outcome.value] += 1
        for name in REQUESTS:
            self._requests[name] += getattr(sample, name)

        if sample.outcome is Outcome.ASSIGNED:
            self._add_latency(sample)

    def _add_latency(self, sample: Sample) -> None:
        latency = sample.latency
        self._buckets[bucket_of(latency)] += 1
        self._latency += latency
        parts: dict[str, float] = {
            **sample.phases,
            "start_lag": sample.started - sample.intended,
            "backoff": sample.backoff,
        }
        parts["other"] = latency - sum(parts.values())
        for name, seconds in parts.items():
            self._seconds[name] += seconds  # type: ignore[assignment]  # Counter adds floats, too

    def progress(self) -> TransportProgress:
        """Return the progress so far."""
        return TransportProgress(
            started=self._started,
            in_flight=self.in_flight,
            outcomes=dict(self._outcomes),
            requests=dict(self._requests),
            latencies=Histogram(buckets=dict(self._buckets), total=self._latency),
            seconds=dict(self._seconds),
        )
