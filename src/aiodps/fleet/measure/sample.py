"""What one device's registration took, and `samples.csv`, the raw material of every figure."""

from __future__ import annotations

import csv
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiodps.errors import ConfigurationError


class Outcome(enum.StrEnum):
    """How a registration ended."""

    ASSIGNED = "assigned"
    """The device has a hub."""
    FAILED = "failed"
    """It ended with an error."""
    INTERRUPTED = "interrupted"
    """The run was stopped before the registration ended; it may be resumed."""


PHASES: Final = (
    *("dns", "tcp", "tls", "session"),
    "journal",
    *("register", "poll", "wait"),
)
"""Where time goes, in the order in which it does: the phases of `aiodps.models.Phase` that take
time, and `journal`, in which the fleet makes its own record of a register durable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one device's registration took.

    Times are seconds since the run's start, durations are seconds. Holds no secret.
    """

    registration_id: str
    transport: str
    """The transport's name."""
    shard: int = 0
    """The shard that ran it, from 0."""
    intended: float
    """When it should have begun."""
    started: float
    """When it did."""
    finished: float
    """When it was assigned, failed or interrupted."""
    outcome: Outcome
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds by `PHASES`; a phase that did not happen is not there. `wait` is time that the
    service asked for."""
    backoff: float = 0.0
    """Seconds waited after trouble that the service did not ask for."""
    register_requests: int = 0
    """Register requests sent; the service bills each."""
    polls: int = 0
    """Status queries sent."""
    throttled: int = 0
    """Responses that said: too many requests."""
    retries: int = 0
    """Tries after the first."""
    error_class: str | None = None
    """The error's name in `aiodps.errors`; None if there was none."""
    error_code: int | None = None
    """The service's errorCode; None if it gave none."""
    tracking_id: str | None = None
    """The service's tracking id, to ask Microsoft about; None if it gave none."""
    error_message: str | None = None
    """What the error said; None if there was none."""
    assigned_hub: str | None = None
    """Host name of the IoT Hub; None unless assigned."""
    device_id: str | None = None
    """The id to use there; None unless assigned."""

    @property
    def latency(self) -> float:
        """Seconds from when it should have begun: what somebody who waits for the device sees."""
        return self.finished - self.intended

    @property
    def service_time(self) -> float:
        """Seconds from when it did begin: hides whatever queued before."""
        return self.finished - self.started


HEADER: Final = (
    *("registration_id", "transport", "shard", "intended", "started", "finished", "outcome"),
    *PHASES,
    *("backoff", "register_requests", "polls", "throttled", "retries"),
    *("error_class", "error_code", "tracking_id", "error_message", "assigned_hub", "device_id"),
)
"""The columns of `samples.csv`: the fields of `Sample`, its phases spread out. An empty cell is
None, or a phase that did not happen."""


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write samples as CSV; an existing file is replaced. Numbers keep every digit.

    Raises:
        OSError: the file could not be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(map(_row, samples))


def read_samples(path: Path) -> Iterator[Sample]:
    """Read what `write_samples` wrote, one by one.

    Raises:
        ConfigurationError: there is no file, or not such a file; the message names the line.
        OSError: the file could not be read.
    """
    if not path.exists():
        raise _unreadable(f"{path} is not there")

    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            _check(next(reader, []))
            for cells in reader:
                yield _sample(dict(zip(HEADER, cells, strict=True)))
        except (ValueError, csv.Error) as error:
            line = max(reader.line_num, 1)
            raise _unreadable(f"{path}, line {line}: {error}") from error


def _unreadable(message: str) -> ConfigurationError:
    return ConfigurationError(
        message, setting="samples", hint="give a samples.csv that `aiodps fleet` wrote"
    )


def _row(sample: Sample) -> list[object]:
    phases = sample.phases
    return [phases.get(name) if name in PHASES else getattr(sample, name) for name in HEADER]


def _check(header: list[str]) -> None:
    if tuple(header) != HEADER:
        raise ValueError("other columns than those of this version")


def _sample(cells: Mapping[str, str]) -> Sample:
    read = {name: _READ.get(name, _word)(cells[name]) for name in HEADER}
    phases = {name: seconds for name in PHASES if (seconds := read.pop(name)) is not None}
    return Sample(**read, phases=phases)


def _word(cell: str) -> str | None:
    return cell or None


def _seconds(cell: str) -> float | None:
    return float(cell) if cell else None


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("registration_id", "transport"), str),
    **dict.fromkeys(("shard", "register_requests", "polls", "throttled", "retries"), int),
    **dict.fromkeys(("intended", "started", "finished", "backoff"), float),
    **dict.fromkeys(PHASES, _seconds),
    "outcome": Outcome,
    "error_code": lambda cell: int(cell) if cell else None,
}
"""How each column is read; the others are words that may be absent."""
