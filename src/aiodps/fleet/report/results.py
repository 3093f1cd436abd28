"""Results of a run, read from its journals, and the files that are written from them.

They can be written at any time when no shard is running; existing files are replaced.
"""

from __future__ import annotations

import contextlib
import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aiodps.errors import ConfigurationError, JournalError
from aiodps.fleet.export.histograms import write_histograms
from aiodps.fleet.export.timeline_files import write_timeline
from aiodps.fleet.journal.journal import Entry, State
from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.measure.csv_cells import to_cell
from aiodps.fleet.measure.sample import Sample, write_samples
from aiodps.fleet.measure.window import in_window, window_facts
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open, Staged
from aiodps.fleet.plan.manifest_devices import ManifestDevices
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.plan.spec import RunOptions
from aiodps.fleet.report.cautions import cautions
from aiodps.fleet.report.journals import ShardJournal, read_journals
from aiodps.fleet.report.summary import Facts, Summary, summarize, write_summary
from aiodps.fleet.report.thresholds import evaluate
from aiodps.fleet.report.verdict import verdict
from aiodps.fresh_files import fresh_file

CALIBRATION: Final = "calibration.json"
"""Figures of the run's plan against a null service; see `aiodps.fleet.calibration`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The content of the journals of a run."""

    run: RunFile
    entries: tuple[Entry, ...] = field(repr=False)
    """Every registration, in the order of the run."""
    sessions: tuple[SessionFacts, ...] = field(repr=False)
    """The facts of each session of each shard, on the time axis of the samples."""
    missing: tuple[int, ...] = ()
    """Shards without a journal: on other machines, or never started."""

    @property
    def samples(self) -> list[Sample]:
        """The samples of all registrations that have started."""
        return [entry.sample for entry in self.entries if entry.sample is not None]

    @property
    def counts_by_state(self) -> dict[str, int]:
        """The number of registrations in each state; they add up to all that were planned."""
        counts = Counter(entry.state for entry in self.entries)
        return {state.value: counts[state] for state in State}

    @property
    def left(self) -> int:
        """The number of registrations that have not ended."""
        return sum(not entry.state.final for entry in self.entries)

    @property
    def unfinished_here(self) -> int:
        """The number of registrations left to this folder's shards.

        A shard without a journal counts as one: it never started, and its devices are not known.
        """
        local = self.run.local_shards
        return self.left + sum(local is None or shard in local for shard in self.missing)

    @property
    def failed(self) -> int:
        """The number of registrations that have failed."""
        return self.counts_by_state[State.FAILED]

    @property
    def complete(self) -> bool:
        """Whether every registration of the run has ended."""
        return not self.left and not self.missing


def read_results(folder: Path) -> Results:
    """Read the journals of a run folder.

    Raises:
        ConfigurationError: If the folder has no run.
        JournalError: If a journal is in use or damaged.
    """
    run = RunFile.read(folder)
    journals, missing = read_journals(folder, run)
    return results_of(run, journals, missing=missing)


def results_of(
    run: RunFile, journals: Sequence[ShardJournal], *, missing: tuple[int, ...] = ()
) -> Results:
    """Return the results of a run whose journals are on one time axis."""
    entries = sorted(
        (entry for journal in journals for entry in journal.entries),
        key=lambda entry: entry.number,
    )
    sessions = tuple(session for journal in journals for session in journal.sessions)
    return Results(run=run, entries=tuple(entries), sessions=sessions, missing=missing)


def write_results(folder: Path, results: Results) -> Summary:
    """Write samples, histograms, timeline, assignments, failed devices and summary.

    Returns:
        The summary.

    Raises:
        JournalError: If a file cannot be written; the journals are complete.
    """
    evaluation = results.run.evaluation
    window = window_facts(
        results.samples, warm_up=evaluation.warm_up, cool_down=evaluation.cool_down
    )
    samples = in_window(results.samples, window)
    facts = run_facts(results)
    summary = summarize(samples, facts)
    summary["states"] = results.counts_by_state
    summary["unfinished"] = results.unfinished_here
    summary["window"] = window
    summary["calibration"] = _calibration(folder)
    transports = results.run.options.transports
    summary["thresholds"] = [
        asdict(each) for each in evaluate(evaluation, summary, samples, transports=transports)
    ]
    summary["cautions"] = cautions(summary)
    summary["verdict"] = asdict(verdict(summary, results.samples))
    try:
        write_samples(folder / "samples.csv", results.samples)
        write_histograms(folder, samples, started_at=facts.started_at)
        write_timeline(folder, results.samples)
        _write_assignments(folder / "assignments.csv", results.entries)
        _write_failed(folder / "failed.csv", results)
        write_summary(folder / "summary.json", summary)
    except OSError as exc:
        raise JournalError(
            f"the results cannot be written to {str(folder)!r}: {exc.strerror}",
            reason="unwritable",
            hint="free disk space, then write them with `aiodps fleet report`",
        ) from exc

    return summary


def _calibration(folder: Path) -> Any:
    """Return the figures of the run's calibration; None if there was none."""
    try:
        return json.loads((folder / CALIBRATION).read_text("utf-8"))
    except FileNotFoundError:
        return None


def run_facts(results: Results) -> Facts:
    """Return the facts about a run that are not in its samples."""
    run, options = results.run, results.run.options
    started = min((session.started for session in results.sessions), default=None)
    return Facts(
        command=run.command,
        seed=options.seed,
        started_at=datetime.fromisoformat(run.created)
        if started is None
        else datetime.fromtimestamp(started, UTC),
        arrivals=describe_arrivals(options.arrivals, options.max_per_minute),
        environment={
            **run.environment,
            **service_facts(options),
            "shards": options.shards,
            "journal": options.journal,
            "sessions": max((session.number + 1 for session in results.sessions), default=0),
        },
        sessions=results.sessions,
    )


def service_facts(options: RunOptions) -> dict[str, Any]:
    """Return which service a run is against, and the way to it."""
    settings = options.settings
    return {
        "endpoint": settings.endpoint,
        **({} if settings.proxy is None else {"proxy": str(settings.proxy)}),
        "id_scope": settings.id_scope,
        "emulator": options.emulator is not None,
    }


def describe_arrivals(arrivals: Arrivals, limit_rate: float | None) -> str:
    """Describe arrivals in words, with the limits of concurrency and rate."""
    match arrivals:
        case Closed(concurrency=concurrency):
            words = [f"closed, {concurrency} at a time"]
        case Burst():
            words = ["all at once"]
        case Open(rate=rate, spacing=spacing, ramp=ramp):
            words = [f"open, {rate:g}/s", spacing, *([f"ramp {ramp:g} s"] if ramp else [])]

        case Staged(stages=stages, spacing=spacing):
            parts = (f"to {each.rate:g}/s in {each.duration:g} s" for each in stages)
            words = [f"open, {', then '.join(parts)}", spacing]

    if not isinstance(arrivals, Closed) and arrivals.concurrency is not None:
        words.append(f"at most {arrivals.concurrency} in flight")

    if limit_rate is not None:
        words.append(f"at most {limit_rate:g} per minute")

    return ", ".join(words)


def _write_failed(path: Path, results: Results) -> None:
    """Write a manifest of the devices that have failed, for rework; none if there is no list."""
    errors = {
        each.registration_id: _error(each.sample)
        for each in results.entries
        if each.state is State.FAILED
    }
    source = results.run.source
    if not errors or not isinstance(source, ManifestDevices):
        path.unlink(missing_ok=True)
        return

    # The manifest may be on another machine, or have changed since.
    with contextlib.suppress(ConfigurationError):
        source.write_failed(path, errors)


def _error(sample: Sample | None) -> str:
    facts = () if sample is None else (sample.error_class, sample.error_code)
    return " ".join(str(each) for each in facts if each is not None)


def _write_assignments(path: Path, entries: Sequence[Entry]) -> None:
    """Write where each device is, and by which credential; its last assignment counts."""
    names = ("device_id", "assigned_hub", "credential")
    rows = {
        entry.registration_id: [getattr(entry.sample, name) for name in names]
        for entry in entries
        if entry.state is State.ASSIGNED and entry.sample is not None
    }
    with fresh_file(path) as file:
        writer = csv.writer(file)
        writer.writerow(("registration_id", *names))
        writer.writerows(
            map(to_cell, (registration_id, *assignment))
            for registration_id, assignment in rows.items()
        )
