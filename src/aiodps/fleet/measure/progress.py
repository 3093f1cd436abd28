"""How a shard stands right now, for those who watch it: small, and cheap to keep up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from aiodps.fleet.measure.sample import Outcome, Sample

_RECENT = 500
"""Latencies kept for the figures on display; the report takes all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a shard, or a whole run, stands."""

    total: int = 0
    """Registrations there are."""
    assigned: int = 0
    failed: int = 0
    in_flight: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    """Failures by class of error, and by code if the service gave one."""
    recent: tuple[float, ...] = ()
    """Latencies of the last registrations that ended, in seconds."""

    @property
    def left(self) -> int:
        """Registrations that have not ended."""
        return self.total - self.assigned - self.failed

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(**{**data, "recent": tuple(data["recent"])})


def together(progress_of_shards: Iterable[Progress]) -> Progress:
    """Add shards up."""
    each = list(progress_of_shards)
    errors: Counter[str] = Counter()
    for one in each:
        errors.update(one.errors)

    return Progress(
        total=sum(one.total for one in each),
        assigned=sum(one.assigned for one in each),
        failed=sum(one.failed for one in each),
        in_flight=sum(one.in_flight for one in each),
        errors=dict(errors),
        recent=tuple(latency for one in each for latency in one.recent),
    )


class ProgressCounter:
    """Counts while a shard runs."""

    def __init__(self, *, total: int, assigned: int = 0, failed: int = 0) -> None:
        self._total = total
        self._assigned = assigned
        self._failed = failed
        self._in_flight = 0
        self._errors: Counter[str] = Counter()
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def begin(self) -> None:
        """Count a registration in."""
        self._in_flight += 1

    def leave(self) -> None:
        """Count it out: the service is done with it."""
        self._in_flight -= 1

    def end(self, sample: Sample) -> None:
        """Count how it ended, now that this is written down."""
        match sample.outcome:
            case Outcome.ASSIGNED:
                self._assigned += 1
                self._recent.append(sample.latency)
            case Outcome.FAILED:
                self._failed += 1
                self._errors[error_name(sample)] += 1
            case Outcome.INTERRUPTED:
                pass

    def progress(self) -> Progress:
        """Say how it stands."""
        return Progress(
            total=self._total,
            assigned=self._assigned,
            failed=self._failed,
            in_flight=self._in_flight,
            errors=dict(self._errors),
            recent=tuple(self._recent),
        )


def error_name(sample: Sample) -> str:
    """Name a failure by its class, and by the service's code if it gave one."""
    code = f" {sample.error_code}" if sample.error_code is not None else ""
    return f"{sample.error_class}{code}"
