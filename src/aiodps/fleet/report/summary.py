"""`summary.json`: everything that is said about a run, made from its samples.

Durations are seconds, rates are per second. Latencies and phases are those of assigned devices: a
failure has no time to assigned, it stands under `errors` and counts against thresholds there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.percentiles import Distribution
from aiodps.fleet.measure.sample import PHASES, Outcome, Sample
from aiodps.models import Json

SCHEMA_VERSION: Final = 2
"""Of `summary.json`; a reader refuses any other. 2 has `states` for `books`, and
`register_requests` for `registers`."""

Summary: TypeAlias = dict[str, Any]
"""A summary as JSON has it; `summarize` says what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What samples cannot tell about a run. Holds no secret."""

    command: str
    """The exact command, ready to paste."""
    seed: int | None = None
    """Where schedules came from; None if there was no chance in it."""
    started_at: datetime
    """When the run began; with a time zone."""
    arrivals: str
    """How devices were begun, in words: "open, 50/s, poisson"."""
    environment: Mapping[str, Json] = field(default_factory=dict)
    """Machine, versions, service: shown as it is, in this order."""
    generator: Mapping[str, Json] = field(default_factory=dict)
    """How hard the generator had to work: figures, and with `limited` and `why` whether and why it
    could not keep up."""


def summarize(samples: Iterable[Sample], facts: Facts) -> Summary:
    """Say everything about a run.

    Returns:
        `schema_version`, the facts, `duration` (first intended start to last end), `transports`
        (by name, see `_transport`) and `errors` (see `_errors`).
    """
    taken = list(samples)
    by_transport: dict[str, list[Sample]] = {}
    for sample in taken:
        by_transport.setdefault(sample.transport, []).append(sample)

    return {
        "schema_version": SCHEMA_VERSION,
        "command": facts.command,
        "seed": facts.seed,
        "started_at": facts.started_at.isoformat(timespec="seconds"),
        "arrivals": facts.arrivals,
        "duration": _duration(taken),
        "transports": {name: _transport(each) for name, each in sorted(by_transport.items())},
        "errors": _errors(taken),
        "generator": {"limited": False, "why": [], **facts.generator},
        "environment": dict(facts.environment),
    }


def write_summary(path: Path, summary: Summary) -> None:
    """Write a summary; an existing file is replaced.

    Raises:
        OSError: the file could not be written.
    """
    path.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_summary(path: Path) -> Summary:
    """Read what `write_summary` wrote.

    Raises:
        ConfigurationError: there is no file, or it is not a summary, or of another version.
        OSError: the file could not be read.
    """
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        version = summary["schema_version"]
    except FileNotFoundError as error:
        raise _unreadable(path, "is not there") from error
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable(path, "is not a summary of a run") from error

    if version != SCHEMA_VERSION:
        raise _unreadable(path, f"has schema version {version!r}, not {SCHEMA_VERSION}")

    return summary  # type: ignore[no-any-return]  # JSON


def pick(summary: Summary, path: str) -> Any:
    """Follow a path like "latency/p99.9" into a summary or a part of it.

    Returns:
        None if it ends early: nothing was assigned, or the phase did not happen.
    """
    found: Any = summary
    for name in path.split("/"):
        found = None if found is None else found.get(name)

    return found


def _unreadable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} {why}",
        setting="summary",
        hint="give the folder of a run that this version of `aiodps fleet` wrote",
    )


def _transport(samples: Sequence[Sample]) -> Summary:
    """Sum up one transport: outcomes, rates, requests, then where the time went.

    `latency` counts from the intended start, `service_time` from the real one. `phases` are means
    over all assigned devices, so that they add up: with `start_lag`, `backoff` and `other` to the
    mean latency. `waited` parts time that the service asked for from time that was lost.
    """
    assigned = [sample for sample in samples if sample.outcome is Outcome.ASSIGNED]
    outcomes = {one.value: 0 for one in Outcome}
    for sample in samples:
        outcomes[sample.outcome.value] += 1

    return {
        "devices": len(samples),
        **outcomes,
        "offered_rate": _offered(samples),
        "achieved_rate": _achieved(samples, len(assigned)),
        **{
            name: sum(getattr(sample, name) for sample in samples)
            for name in ("register_requests", "polls", "throttled", "retries")
        },
        "latency": _plain(sample.latency for sample in assigned),
        "service_time": _plain(sample.service_time for sample in assigned),
        "phases": {
            name: _plain(sample.phases.get(name, 0.0) for sample in assigned)
            for name in PHASES
            if any(name in sample.phases for sample in assigned)
        },
        "waited": {
            "asked": _plain(sample.phases.get("wait", 0.0) for sample in assigned),
            "backoff": _plain(sample.backoff for sample in assigned),
            "start_lag": _plain(sample.started - sample.intended for sample in assigned),
            "other": _plain(map(_other, assigned)),
        },
    }


def _plain(values: Iterable[float]) -> dict[str, float] | None:
    described = Distribution.of(values)
    return None if described is None else described.plain()


def _other(sample: Sample) -> float:
    """Return the seconds that no phase explains: between phases, and inside aiodps itself."""
    return sample.service_time - sum(sample.phases.values()) - sample.backoff


def _offered(samples: Sequence[Sample]) -> float | None:
    """Return intended starts per second; None if all were intended at one moment."""
    intended = [sample.intended for sample in samples]
    span = max(intended) - min(intended)
    return (len(samples) - 1) / span if span > 0 else None


def _achieved(samples: Sequence[Sample], assigned: int) -> float | None:
    """Return assigned devices per second of the time it took; None if it took none."""
    span = _duration(samples)
    return assigned / span if span > 0 else None


def _duration(samples: Sequence[Sample]) -> float:
    if not samples:
        return 0.0

    begin = min(sample.intended for sample in samples)
    return max(sample.finished for sample in samples) - begin


def _errors(samples: Sequence[Sample]) -> list[Summary]:
    """Gather failures by class and errorCode, the most frequent first.

    Each has `first_seen` and `last_seen` in seconds of the run, and the first failure as example:
    its tracking id is what Microsoft's support asks for.
    """
    kinds: dict[tuple[str, int | None], list[Sample]] = {}
    for sample in sorted(samples, key=lambda sample: sample.finished):
        if sample.outcome is Outcome.FAILED:
            kind = (sample.error_class or "unknown", sample.error_code)
            kinds.setdefault(kind, []).append(sample)

    rows = [
        {
            "class": name,
            "code": code,
            "count": len(each),
            "share": len(each) / len(samples),
            "first_seen": each[0].finished,
            "last_seen": each[-1].finished,
            "example": {
                "registration_id": each[0].registration_id,
                "transport": each[0].transport,
                "tracking_id": each[0].tracking_id,
                "message": each[0].error_message,
            },
        }
        for (name, code), each in kinds.items()
    ]
    return sorted(rows, key=lambda row: -row["count"])
