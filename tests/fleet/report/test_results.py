"""What a run leaves in its folder."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tests.fleet.journal.test_journal import PLANNED
from tests.fleet.plan.test_run_file import run_of
from tests.fleet.samples import sample

from aiodps.errors import JournalError
from aiodps.fleet.journal.journal import Journal, State, journal_path
from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.sample import Outcome, read_samples
from aiodps.fleet.plan.arrivals import Arrivals, Burst, Closed, Open, Stage, Staged
from aiodps.fleet.plan.devices import GeneratedDevices
from aiodps.fleet.plan.manifest import Row, read_manifest
from aiodps.fleet.plan.manifest_devices import ManifestDevices
from aiodps.fleet.report.cautions import cautions
from aiodps.fleet.report.results import describe_arrivals, read_results, write_results
from aiodps.fleet.report.summary import read_summary
from aiodps.fleet.report.verdict import verdict

SOURCE = GeneratedDevices(count=20, certificate=Path("/ca.pem"), private_key=Path("/ca.key"))
LOAD = GeneratorLoad(busy_seconds=2.0, busy_devices=1.0)
SESSION = SessionFacts(started=1e9, seconds=2.0, ended=True, generator_load=asdict(LOAD))


def run_folder(folder: Path, *, shards: int = 1) -> Path:
    """Make the folder of a run in which one was assigned, one failed, and one was interrupted."""
    folder.mkdir(exist_ok=True)
    run_of(SOURCE, shards=shards).write(folder)
    path = journal_path(folder, 0)
    path.parent.mkdir()
    took = sample(registration_id="dev-0", device_id="press-4", transport="mqtt", credential=1)
    refused = replace(took, outcome=Outcome.FAILED, error_class="ForbiddenError")
    with Journal.create(path, run_id="run-1", shard=0, entries=PLANNED) as journal:
        journal.write(
            [
                replace(PLANNED[0], state=State.ASSIGNED, sent=1, sample=took),
                replace(PLANNED[1], state=State.FAILED, sent=1, sample=refused),
                replace(
                    PLANNED[2],
                    state=State.SENT,
                    sent=1,
                    sample=replace(took, outcome=Outcome.INTERRUPTED),
                ),
            ]
        )
        journal.write([], SESSION)

    return folder


def test_everything_is_written(tmp_path: Path) -> None:
    """Figures, samples and assignments agree with the journal."""
    folder = run_folder(tmp_path / "run")
    results = read_results(folder)
    summary = write_results(folder, results)

    assert summary == read_summary(folder / "summary.json")
    assert summary["states"] == {
        "planned": 17, "sent": 1, "operation": 0, "assigned": 1, "failed": 1,
    }  # fmt: skip
    assert summary["transports"]["mqtt"]["devices"] == 3
    assert summary["transports"]["mqtt"]["credentials"] == {"1": 1}
    assert summary["generator"]["limited"]
    assert summary["generator"]["why"] == [
        "a core was over 90 % busy for 2.00 s, in which 100 % of the devices started"
    ]
    assert summary["cautions"] == cautions(summary)
    assert summary["verdict"] == asdict(verdict(summary, results.samples))
    assert list(read_samples(folder / "samples.csv")) == results.samples
    assert (folder / "histograms" / "latency-mqtt.hgrm").read_text()
    with (folder / "assignments.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["registration_id", "device_id", "assigned_hub", "credential"],
            ["dev-0", "press-4", "contoso.azure-devices.net", "1"],
        ]

    assert (results.left, results.failed, results.complete) == (18, 1, False)


def test_what_a_killed_shard_leaves(tmp_path: Path) -> None:
    """Nobody knows how late its generator was, nor what became of devices in flight."""
    folder = run_folder(tmp_path / "run")
    with Journal.open(journal_path(folder, 0)) as journal:
        journal.write(
            [replace(PLANNED[2], state=State.SENT, sent=1, intended=0.0, started=0.0)],
            SessionFacts(number=1, started=1e9 + 5),
        )

    results = read_results(folder)
    summary = write_results(folder, results)

    assert summary["transports"]["mqtt"]["interrupted"] == 1
    assert summary["transports"]["mqtt"]["latency_of_all"]["never"] == 2
    assert summary["generator"]["unknown"] is not None


def test_twice_is_the_same(tmp_path: Path) -> None:
    """Results may be made again from the journal at any time."""
    folder = run_folder(tmp_path / "run")
    write_results(folder, read_results(folder))
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    write_results(folder, read_results(folder))

    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_nothing_has_begun(tmp_path: Path) -> None:
    """A run that was killed before its first device still has a folder that can be read."""
    run_of(SOURCE).write(tmp_path)
    results = read_results(tmp_path)
    summary = write_results(tmp_path, results)

    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert results.missing == (0,)
    assert not results.complete


def test_a_shard_of_another_machine_is_missing(tmp_path: Path) -> None:
    """The run is not complete without it."""
    results = read_results(run_folder(tmp_path / "run", shards=2))

    assert results.missing == (1,)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """It is told as trouble with the disk; the journal is whole."""
    folder = run_folder(tmp_path / "run")
    (folder / "samples.csv").mkdir()
    with pytest.raises(JournalError, match="results cannot be written"):
        write_results(folder, read_results(folder))


@pytest.mark.parametrize(
    ("arrivals", "limit", "words"),
    [
        (Closed(concurrency=5), 60, "closed, 5 at a time, at most 60 per minute"),
        (Burst(), None, "all at once"),
        (Open(rate=2.5, ramp=3, concurrency=9), None,
         "open, 2.5/s, constant, ramp 3 s, at most 9 in flight"),
        (Staged(stages=(Stage(duration=60, rate=50), Stage(duration=0, rate=9.5))), None,
         "open, to 50/s in 60 s, then to 9.5/s in 0 s, constant"),
    ],
)  # fmt: skip
def test_arrivals_in_words(arrivals: Arrivals, limit: float | None, words: str) -> None:
    """As people say it."""
    assert describe_arrivals(arrivals, limit) == words


@pytest.mark.parametrize("listed", [True, False])
def test_failed_devices_are_listed_for_rework(*, listed: bool, tmp_path: Path) -> None:
    """As a manifest that another run takes; only if there was one."""
    folder = run_folder(tmp_path / "run")
    results = read_results(folder)
    names = [entry.registration_id for entry in results.entries]
    rows = tuple(Row(line=1, registration_id=name) for name in dict.fromkeys(names))
    source = ManifestDevices(path=tmp_path / "m.csv", digest="", rows=rows)
    if listed:
        results = replace(results, run=replace(results.run, source=source))

    write_results(folder, results)

    assert (folder / "failed.csv").exists() is listed
    if listed:
        (row,) = read_manifest(folder / "failed.csv")[1]
        assert row.registration_id == names[1]
        assert "ForbiddenError" in (folder / "failed.csv").read_text()
        write_results(folder, replace(results, entries=results.entries[:1]))
        assert not (folder / "failed.csv").exists()
