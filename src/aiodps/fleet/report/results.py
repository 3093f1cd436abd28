"""What a run leaves in its folder, made from its journals: figures, samples, assignments.

May be made at any time when no shard runs; what is there is replaced.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiodps.errors import JournalError
from aiodps.fleet.journal.journal import Entry, Journal, State, journal_path
from aiodps.fleet.measure.generator_load import GeneratorLoad, worst
from aiodps.fleet.measure.percentiles import write_hgrm
from aiodps.fleet.measure.sample import Outcome, Sample, write_samples
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.report.summary import Facts, Summary, summarize, write_summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything the journals of a run say."""

    run: RunFile
    entries: tuple[Entry, ...] = field(repr=False)
    """Every registration, in the order of the run."""
    sessions: tuple[dict[str, Any], ...] = field(repr=False)
    """What each session of each shard was like."""
    missing: tuple[int, ...] = ()
    """Shards without a journal: elsewhere, or never begun."""

    @property
    def samples(self) -> list[Sample]:
        """What each registration took that has begun."""
        return [entry.sample for entry in self.entries if entry.sample is not None]

    @property
    def counts_by_state(self) -> dict[str, int]:
        """Count registrations by state: the sum is all that were planned."""
        counts = {state.value: 0 for state in State}
        for entry in self.entries:
            counts[entry.state.value] += 1

        return counts

    @property
    def left(self) -> int:
        """Registrations that have not ended."""
        return sum(not entry.state.final for entry in self.entries)

    @property
    def failed(self) -> int:
        """Registrations that have failed."""
        return self.counts_by_state[State.FAILED]

    @property
    def complete(self) -> bool:
        """Whether every registration of the run has ended."""
        return not self.left and not self.missing

    @property
    def generator_load(self) -> GeneratorLoad:
        """How hard the generator had to work, where it was hardest."""
        return worst([GeneratorLoad(**one["strain"]) for one in self.sessions if "strain" in one])


def read_results(folder: Path) -> Results:
    """Read a run's folder.

    Raises:
        ConfigurationError: If there is no run in it.
        JournalError: If a journal is in use or damaged.
    """
    run = RunFile.read(folder)
    entries: list[Entry] = []
    sessions: list[dict[str, Any]] = []
    missing: list[int] = []
    for shard in range(run.options.shards):
        try:
            with Journal.open(journal_path(folder, shard), run_id=run.run_id) as journal:
                entries += journal.entries()
                sessions += journal.sessions()
        except JournalError as error:
            if error.reason != "missing":
                raise

            missing.append(shard)

    entries.sort(key=lambda entry: entry.number)
    return Results(
        run=run, entries=tuple(entries), sessions=tuple(sessions), missing=tuple(missing)
    )


def write_results(folder: Path, results: Results) -> Summary:
    """Write everything that a run leaves, and return its summary.

    Raises:
        JournalError: If it cannot be written; the journals are whole.
    """
    samples = results.samples
    summary = summarize(samples, facts_of(results))
    summary["states"] = results.counts_by_state
    try:
        write_samples(folder / "samples.csv", samples)
        done = [one.latency for one in samples if one.outcome is Outcome.ASSIGNED]
        write_hgrm(folder / "percentiles.hgrm", done)
        _write_assignments(folder / "assignments.csv", results.entries)
        write_summary(folder / "summary.json", summary)
    except OSError as exc:
        raise JournalError(
            f"the results cannot be written to {str(folder)!r}: {exc.strerror}",
            reason="unwritable",
            hint="make room, then `aiodps fleet report` makes them again",
        ) from exc

    return summary


def facts_of(results: Results) -> Facts:
    """Say what samples cannot tell."""
    run, options, generator_load = results.run, results.run.options, results.generator_load
    why = generator_load.reasons()
    began = min((one["started"] for one in results.sessions), default=None)
    return Facts(
        command=run.command,
        seed=options.seed,
        started_at=datetime.fromisoformat(run.created)
        if began is None
        else datetime.fromtimestamp(began, UTC),
        arrivals=in_words(options.arrivals, options.most_a_minute),
        environment={
            **run.environment,
            "endpoint": options.settings.endpoint,
            "id_scope": options.settings.id_scope,
            "emulator": options.emulator is not None,
            "shards": options.shards,
            "sessions": len(results.sessions) // max(1, options.shards - len(results.missing)),
        },
        generator={"limited": bool(why), "why": why, **asdict(generator_load)},
    )


def in_words(arrivals: Arrivals, limit_rate: float | None) -> str:
    """Say how devices arrive."""
    match arrivals:
        case Closed(concurrency=concurrency):
            words = [f"closed, {concurrency} at a time"]
        case Burst():
            words = ["all at once"]
        case Open(rate=rate, spacing=spacing, ramp=ramp):
            words = [f"open, {rate:g}/s", spacing, *([f"ramp {ramp:g} s"] if ramp else [])]

    if not isinstance(arrivals, Closed) and arrivals.concurrency is not None:
        words.append(f"{arrivals.concurrency} in flight at most")

    if limit_rate is not None:
        words.append(f"{limit_rate:g} a minute at most")

    return ", ".join(words)


def _write_assignments(path: Path, entries: Sequence[Entry]) -> None:
    """Write where each device belongs; a device's last assignment counts."""
    rows = {
        entry.registration_id: (entry.sample.device_id, entry.sample.assigned_hub)
        for entry in entries
        if entry.state is State.ASSIGNED and entry.sample is not None
    }
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("registration_id", "device_id", "assigned_hub"))
        writer.writerows((name, *where) for name, where in rows.items())
