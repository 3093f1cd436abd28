"""What is published of runs through one machine: exact counts, and aims that can be missed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fleet.plan.test_run_file import run_of
from tests.fleet.samples import sample, sessions_of

from aiodps.fleet.journal.journal import Entry, State
from aiodps.fleet.measure.generator_load import GeneratorLoad
from aiodps.fleet.measure.sample import Outcome
from aiodps.fleet.plan.devices import GeneratedDevices
from aiodps.fleet.report.results import Results, run_facts
from aiodps.fleet.report.summary import summarize

scale = pytest.importorskip("benchmarks.scale_figures", reason="not in a source distribution")
processes = pytest.importorskip("benchmarks.processes")
scale_run = pytest.importorskip("benchmarks.scale_run")


def look(at: float, cpu: float, memory: int) -> Any:
    """Make a look at processes of which each has used and holds the same."""
    roles = processes.ROLES
    return processes.Look(
        at=at, cpu=dict.fromkeys(roles, cpu), memory=dict.fromkeys(roles, memory)
    )


def done(registers: dict[str, int], *outcomes: Outcome) -> Any:
    """Make what a run of two devices leaves, which took a second."""
    samples = [
        sample(registration_id=f"dev-{number}", outcome=outcome)
        for number, outcome in enumerate(outcomes)
    ]
    entries = tuple(
        Entry(
            number=number,
            registration_id=each.registration_id,
            transport="rest",
            state=State.ASSIGNED if each.outcome is Outcome.ASSIGNED else State.FAILED,
            sample=each,
        )
        for number, each in enumerate(samples)
    )
    run = run_of(GeneratedDevices(count=2, group_key_file=Path("group.key")))
    results = Results(run=run, entries=entries, sessions=sessions_of(GeneratorLoad()))
    looks = [look(10.0, 1.0, 100), look(14.0, 2.0, 10**9), look(15.0, 2.5, 100)]
    return scale_run.Done(
        devices=2,
        transport="rest",
        results=results,
        summary=summarize(samples, run_facts(results)),
        registers=registers,
        looks=looks,
        began=10.0,
        ready=looks[1],
        ended=looks[2],
        written=look(17.0, 3.0, 100),
        stopped=None,
    )


ASSIGNED, FAILED = Outcome.ASSIGNED, Outcome.FAILED


def test_figures() -> None:
    """Keys, run and results are told apart; memory is that of all at one moment."""
    found = scale.figures(done({"dev-0": 1, "dev-1": 1}, ASSIGNED, ASSIGNED))

    assert scale.exact(found)
    assert (found["keys_seconds"], found["run_seconds"], found["results_seconds"]) == (4, 1, 2)
    assert (found["keys_cpu_ms"], found["cpu_ms_emulator"], found["cpu_ms_all"]) == (
        *(1500, 250),
        750,
    )
    assert (found["memory_mb_emulator"], found["memory_mb_all"]) == (1000, 3000)
    assert scale.missed(found)


@pytest.mark.parametrize(
    ("registers", "second"),
    [
        ({"dev-0": 1, "dev-1": 2}, ASSIGNED),
        ({"dev-0": 1, "other": 1}, ASSIGNED),
        ({"dev-0": 1, "dev-1": 1}, FAILED),
    ],
    ids=["registered twice", "another device", "failed"],
)
def test_counts_have_to_be_exact(registers: dict[str, int], second: Outcome) -> None:
    """One device that failed, or that the emulator has counted otherwise, is enough."""
    assert not scale.exact(scale.figures(done(registers, ASSIGNED, second)))


def test_runs_are_kept(tmp_path: Path) -> None:
    """Those of other numbers and transports; the same measured again takes its place."""
    few, many = {"devices": 10, "transport": "rest"}, {"devices": 20, "transport": "rest"}
    for run in (many, {**few, "assigned": 9}, {**few, "assigned": 10}):
        found = scale.keep(tmp_path / "scale.json", run)

    assert found == [{**few, "assigned": 10}, many]
