"""`Sample`: the measurements of one registration; and `samples.csv`, which holds all of them."""

from __future__ import annotations

import csv
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.csv_cells import from_cell, to_cell
from aiodps.fleet.measure.records import fields_of
from aiodps.fresh_files import fresh_file


class Outcome(enum.StrEnum):
    """How a registration ended."""

    ASSIGNED = "assigned"
    """The device has a hub."""
    FAILED = "failed"
    """The registration ended with an error."""
    INTERRUPTED = "interrupted"
    """The run was stopped before the registration ended; it may be resumed."""


PHASES: Final = (
    *("dns", "queue", "tcp", "proxy", "tls", "session"),
    "journal",
    *("register", "poll", "wait", "poll_floor"),
)
"""Phases of a registration in their order: those of `aiodps.models.Phase` that take time;
`journal`, in which the fleet makes a register request durable before it is sent; and `poll_floor`,
which this side waits between two polls beyond what the service asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Measurements of one registration.

    Times are seconds since the start of the run, durations are seconds. Holds no secret.
    """

    registration_id: str
    transport: str
    """The transport's name."""
    shard: int = 0
    """The shard that ran it, from 0."""
    intended: float
    """When it should have started."""
    started: float
    """When it did start."""
    finished: float
    """When it was assigned, failed or was interrupted."""
    outcome: Outcome
    resumed: bool = False
    """Whether an earlier session of the run left it behind, in flight or due and not started. Its
    times count from that session on, the pause included; its phases are those of the last one."""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase; a phase that did not happen is missing. `wait` is time that the service
    asked for, `poll_floor` what this side waits beyond it before a poll."""
    backoff: float = 0.0
    """Seconds waited before retries, beyond what the service asked for."""
    register_requests: int = 0
    """Register requests sent; the service bills each."""
    polls: int = 0
    """Status queries sent."""
    throttled: int = 0
    """Responses with status 429, too many requests."""
    retries: int = 0
    """Attempts after an error."""
    error_class: str | None = None
    """Class name in `aiodps.errors`; None without an error."""
    error_code: int | None = None
    """The service's errorCode; None if it gave none."""
    tracking_id: str | None = None
    """The service's tracking id, for Azure support; None if it gave none."""
    error_message: str | None = None
    """Message of the error; None without an error."""
    assigned_hub: str | None = None
    """Host name of the IoT Hub; None unless assigned."""
    device_id: str | None = None
    """Device id at that hub; None unless assigned."""
    credential: int | None = None
    """Which of the device's credentials the service accepted, from 0; None unless assigned."""

    @property
    def latency(self) -> float:
        """Seconds from the intended start to the end: the latency that users see."""
        return self.finished - self.intended

    @property
    def service_time(self) -> float:
        """Seconds from the actual start to the end: hides time spent in a queue."""
        return self.finished - self.started

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name; values are not copied."""
        return fields_of(self)


_OPTIONAL: Final = (
    *("error_class", "error_code", "tracking_id", "error_message", "assigned_hub", "device_id"),
    "credential",
)
HEADER: Final = (
    *("registration_id", "transport", "shard", "intended", "started", "finished", "outcome"),
    "resumed",
    *PHASES,
    *("backoff", "register_requests", "polls", "throttled", "retries"),
    *_OPTIONAL,
)
"""The columns of `samples.csv`: the fields of `Sample`, with one column for each phase. An empty
cell is None, or a phase that did not happen."""


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write samples as CSV; replaces an existing file. Numbers keep every digit.

    Raises:
        OSError: the file could not be written.
    """
    with fresh_file(path) as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(map(_row, samples))


def read_samples(path: Path) -> Iterator[Sample]:
    """Yield the samples of a file that `write_samples` wrote.

    Raises:
        ConfigurationError: the file is missing or invalid; the message names the line.
        OSError: the file could not be read.
    """
    if not path.exists():
        raise _unreadable(f"{path} does not exist")

    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            _check(next(reader, []))
            for cells in reader:
                yield _sample(dict(zip(HEADER, cells, strict=True)))
        except (ValueError, csv.Error) as error:
            line = max(reader.line_num, 1)
            raise _unreadable(f"{path}, line {line}: {error}") from error


def sample_from_json(facts: Mapping[str, Any]) -> Sample:
    """Return the sample that `Sample.to_json` made a JSON object of.

    Raises:
        ValueError: If it was changed to what is not a sample.
    """
    try:
        cells = {**facts, **dict.fromkeys(PHASES), **facts["phases"]}
        del cells["phases"]
        texts = {name: "" if cell is None else str(to_cell(cell)) for name, cell in cells.items()}
        return _sample(texts)
    except (LookupError, TypeError, ValueError) as exc:
        raise ValueError(f"not a sample: {exc}") from exc


def _unreadable(message: str) -> ConfigurationError:
    return ConfigurationError(
        message, setting="samples", hint="give a samples.csv that `aiodps fleet` wrote"
    )


def _row(sample: Sample) -> list[object]:
    phases = sample.phases
    values = [phases.get(name) if name in PHASES else getattr(sample, name) for name in HEADER]
    return [to_cell(value) for value in values]


def _check(header: list[str]) -> None:
    if tuple(header) != HEADER:
        raise ValueError("its columns are not those of this version")


def _sample(cells: Mapping[str, str]) -> Sample:
    if cells.keys() != {*HEADER}:
        raise ValueError("its fields are not those of this version")

    may_be_empty = {*PHASES, *_OPTIONAL}
    values: dict[str, Any] = {
        name: None
        if not cell and name in may_be_empty
        else _COLUMN_TYPES.get(name, from_cell)(cell)
        for name, cell in cells.items()
    }
    phases = {name: seconds for name in PHASES if (seconds := values.pop(name)) is not None}
    return Sample(**values, phases=phases)


MAX_SECONDS: Final = 1e8
"""Three years: no run takes longer, and a chart of it would not be drawn."""
_MAX_COUNT: Final = 2**53


def _seconds(cell: str) -> float:
    seconds = float(cell)
    if not abs(seconds) <= MAX_SECONDS:
        raise ValueError(f"{cell[:30]!r} is out of range")

    return seconds


def _count(cell: str) -> int:
    if not (cell.isdecimal() and len(cell) < 20 and int(cell) <= _MAX_COUNT):  # noqa: PLR2004
        raise ValueError(f"{cell[:30]!r} is not a count")

    return int(cell)


def _required_text(cell: str) -> str:
    if not cell:
        raise ValueError("a field is empty")

    return from_cell(cell)


_COLUMN_TYPES: Final[Mapping[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("registration_id", "transport"), _required_text),
    **dict.fromkeys(("shard", "register_requests", "polls", "throttled", "retries"), _count),
    **dict.fromkeys(("intended", "started", "finished", "backoff", *PHASES), _seconds),
    "outcome": Outcome,
    "resumed": lambda cell: {"True": True, "False": False}[cell],
    "error_code": int,
    "credential": _count,
}
"""How each column is read; the others are strings."""
