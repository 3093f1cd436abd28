"""`summary.json`: the figures of a run, computed from its samples.

Durations are seconds, rates are per second. Latencies and phases are those of assigned devices,
unless the name says otherwise: `latency_of_all`, `time_to_failure`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from aiodps.errors import ConfigurationError
from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.limits import generator_facts
from aiodps.fleet.measure.percentiles import REPORTED, describe, describe_all, percentile
from aiodps.fleet.measure.sample import PHASES, Outcome, Sample
from aiodps.fleet.report.sessions import session_figures, shard_figures, without_pauses
from aiodps.fresh_files import write_fresh
from aiodps.models import Json
from aiodps.printable import printable_json

SCHEMA_VERSION: Final = 3
"""Of `summary.json`; other versions are refused. 3 has `latency_of_all` and `cautions`, its
`achieved_rate` leaves out the tail, and `limited` may be null."""

Summary: TypeAlias = dict[str, Any]
"""A summary as JSON; see `summarize` for its members."""

PERCENTILES: Final = tuple(f"p{name}" for name in REPORTED)
"""The names of percentiles in a distribution."""
LATENCIES: Final = (*PERCENTILES, "max", "mean")
"""The statistics of latency that tables show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts about a run that are not in its samples. Holds no secret."""

    command: str
    """The exact command, ready to paste."""
    seed: int | None = None
    """The seed of schedules and jitter; None if nothing was random."""
    started_at: datetime
    """Start of the run, with a time zone."""
    arrivals: str
    """Description of the arrivals: "open, 50/s, poisson"."""
    environment: Mapping[str, Json] = field(default_factory=dict)
    """Machine, versions and service, shown in this order."""
    sessions: Sequence[SessionFacts] = ()
    """The sessions of every shard, on the time axis of the samples."""


def summarize(samples: Iterable[Sample], facts: Facts) -> Summary:
    """Return the summary of a run.

    Returns:
        `schema_version`, the facts, `duration` (first intended start to last end), `transports`
        (by name, see `_transport`), `sessions` and `shards` (see `aiodps.fleet.report.sessions`),
        `errors` (see `_errors`) and `generator` (see `aiodps.fleet.measure.limits`);
        `unfinished`, `window`, `calibration` and `thresholds` as of a run in which all has ended,
        and that has none. `write_results` adds `states`, `cautions` and `verdict`.
    """
    samples = list(samples)
    by_transport: dict[str, list[Sample]] = {}
    for sample in samples:
        by_transport.setdefault(sample.transport, []).append(sample)

    without = without_pauses(facts.sessions)
    transports = {
        name: _transport(each, [without(one) for one in each])
        for name, each in sorted(by_transport.items())
    }
    loads = [GeneratorLoad.from_json(session.generator_load) for session in facts.sessions]
    summary = {
        "schema_version": SCHEMA_VERSION,
        "command": facts.command,
        "seed": facts.seed,
        "started_at": facts.started_at.isoformat(timespec="seconds"),
        "arrivals": facts.arrivals,
        "duration": _duration(samples),
        "transports": transports,
        "sessions": session_figures(facts.sessions, samples),
        "shards": shard_figures(facts.sessions, samples),
        "errors": _errors(samples),
        "unfinished": 0,
        "window": None,
        "calibration": None,
        "thresholds": [],
        "generator": generator_facts(loads, transports),
        "environment": dict(facts.environment),
    }
    return printable_json(summary)  # type: ignore[no-any-return]  # the same shape


def write_summary(path: Path, summary: Summary) -> None:
    """Write a summary; replaces an existing file.

    Raises:
        OSError: the file could not be written.
    """
    write_fresh(path, json.dumps(summary, indent=1, ensure_ascii=False) + "\n")


def read_summary(path: Path) -> Summary:
    """Read what `write_summary` wrote.

    Raises:
        ConfigurationError: the file is missing, is not a summary, or has another version.
        OSError: the file could not be read.
    """
    try:
        summary = printable_json(json.loads(path.read_text(encoding="utf-8")))
        version = summary["schema_version"]
    except FileNotFoundError as error:
        raise _unreadable(path, "does not exist") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _unreadable(path, "is not the summary of a run") from error

    if version != SCHEMA_VERSION:
        raise _unreadable(path, f"has schema version {version!r}, not {SCHEMA_VERSION}")

    return summary  # type: ignore[no-any-return]  # JSON


def pick(summary: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path such as "latency/p99.9" in a summary or a part of it.

    Returns:
        None if there is none: nothing was assigned, or the phase did not happen.
    """
    found: Any = summary
    for name in path.split("/"):
        found = None if found is None else found.get(name)

    return found


def _unreadable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} {reason}",
        setting="summary",
        hint="give the folder of a run that this version of `aiodps fleet` wrote",
    )


def _transport(samples: Sequence[Sample], running: Sequence[Sample]) -> Summary:
    """Summarize one transport: outcomes, rates, requests, and where the time went.

    `latency` counts from the intended start, `service_time` from the actual one, both also for
    devices that an earlier session of the run left behind (`resumed`). `phases` are of all other
    assigned devices, so that their means, with those of `start_lag`, `backoff` and `other`, add up
    to their mean latency. In `latency_of_all`, a device that has failed or was interrupted is
    never assigned. `waited` separates the wait that the service asked for from lost time.

    Args:
        samples: The samples.
        running: The same on a time axis without pauses of the run, for rates.
    """
    ended = [sample for sample in samples if sample.outcome is Outcome.ASSIGNED]
    assigned = [sample for sample in ended if not sample.resumed]
    outcomes = Counter(sample.outcome for sample in samples)
    latencies = [sample.latency for sample in ended]
    hubs = Counter(sample.assigned_hub for sample in ended)
    credentials = Counter(str(sample.credential) for sample in ended)
    return {
        "devices": len(samples),
        **{outcome.value: outcomes[outcome] for outcome in Outcome},
        "resumed": sum(sample.resumed for sample in samples),
        "offered_rate": _rate(len(running) - 1, _intended_span(running)),
        "achieved_rate": _achieved_rate(running),
        "drain_time": max(one.finished for one in running) - max(one.intended for one in running),
        **{
            name: sum(getattr(sample, name) for sample in samples)
            for name in ("register_requests", "polls", "throttled", "retries")
        },
        "latency": describe(latencies),
        "latency_of_all": describe_all(latencies, never=len(samples) - len(ended)),
        "time_to_failure": describe(
            sample.latency for sample in samples if sample.outcome is Outcome.FAILED
        ),
        "latency_without_journal": describe(
            sample.latency - sample.phases.get("journal", 0.0) for sample in ended
        ),
        "service_time": describe(sample.service_time for sample in ended),
        "phases": {
            name: describe(sample.phases.get(name, 0.0) for sample in assigned)
            for name in PHASES
            if any(name in sample.phases for sample in assigned)
        },
        "waited": {
            "requested": describe(sample.phases.get("wait", 0.0) for sample in assigned),
            "backoff": describe(sample.backoff for sample in assigned),
            "start_lag": describe(sample.started - sample.intended for sample in assigned),
            "other": describe(map(_other, assigned)),
        },
        "hubs": dict(hubs.most_common()),
        "credentials": dict(sorted(credentials.items())),
    }


def _achieved_rate(samples: Sequence[Sample]) -> float | None:
    """Return how many devices were assigned per second in the steady part of the run.

    The steady part is as long as devices were meant to start, and begins p50 later: a device of
    median latency that should have started at its beginning ends at its beginning. What ends later
    is the tail, and `drain_time` long. If all should have started at once, there is no such part,
    and the whole run counts.
    """
    assigned = [sample for sample in samples if sample.outcome is Outcome.ASSIGNED]
    span = _intended_span(samples)
    if not assigned or not span:
        return _rate(len(assigned), _duration(samples))

    median = percentile(sorted(sample.latency for sample in assigned), 50)
    begin = min(sample.intended for sample in samples) + median
    return sum(begin < sample.finished <= begin + span for sample in assigned) / span


def _other(sample: Sample) -> float:
    """Return the seconds of no phase: between phases, and inside aiodps itself."""
    return sample.service_time - sum(sample.phases.values()) - sample.backoff


def _rate(count: int, seconds: float) -> float | None:
    """Return a rate; None if all happened at one moment."""
    return count / seconds if seconds > 0 else None


def _intended_span(samples: Sequence[Sample]) -> float:
    intended = [sample.intended for sample in samples]
    return max(intended) - min(intended)


def _duration(samples: Sequence[Sample]) -> float:
    if not samples:
        return 0.0

    return max(one.finished for one in samples) - min(one.intended for one in samples)


def _errors(samples: Sequence[Sample]) -> list[Summary]:
    """Group failures by class and errorCode, the most frequent first.

    Each group has `first_seen` and `last_seen` in seconds of the run, and its first failure as an
    example, with the tracking id that Azure support asks for.
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
