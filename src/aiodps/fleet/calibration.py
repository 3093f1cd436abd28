"""Calibration: runs the plan of a run against a null service, to measure the harness itself.

The null service is the emulator on this machine, which assigns each device at its first poll and
asks it to wait for nothing. What the same arrivals, transports and shards measure against it is
what they add to every latency: an upper bound, because the service's own work is in it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final

from aiodps.fleet.local_emulator import LocalEmulator
from aiodps.fleet.measure import units
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.plan.spec import EmulatorOptions, RunOptions
from aiodps.fleet.report.results import CALIBRATION, write_results
from aiodps.fleet.report.summary import Summary, pick
from aiodps.fleet.run.launch import OnProgress, Stop, process_pool
from aiodps.fleet.runs import create_run, resume_run
from aiodps.fresh_files import write_fresh
from aiodps.settings import Settings

_FIGURES: Final = ("devices", "failed", "achieved_rate", "latency/p50", "latency/p99")


def calibrate(
    folder: Path,
    stop: Stop,
    *,
    executor: Callable[[int], Executor] = process_pool,
    on_progress: OnProgress | None = None,
    on_phase: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run the plan of a run against a null service, and keep its figures with the run.

    The calibration is a run of its own in `NAME.calibration`, next to the run folder; its devices
    are generated. The results of the run include its figures when they are written next.

    Args:
        folder: The run folder.
        stop: Asks the calibration to end early.
        executor: Returns an executor that runs the given number of shards at once, on this
            machine.
        on_progress: Called several times a second with the progress of all shards.
        on_phase: Called with a description of each preparation before devices start.

    Returns:
        The figures, by transport; whether and why the generator limited the calibration;
        `emulator_cpu`, seconds of CPU time that the null service took for each device, None if
        the system does not tell; and all of that in `sentences`.

    Raises:
        ProvisioningError: If it could not run.
    """
    run = RunFile.read(folder)
    target = folder.absolute().with_name(f"{folder.absolute().name}.calibration")
    emulator = LocalEmulator.for_run(target)
    with_keys = getattr(run.source, "group_key_file", None) is not None
    null_run = RunFile(
        run_id=secrets.token_hex(8),
        options=null_options(run.options),
        source=emulator.devices(len(run.source.registration_ids()), with_keys=with_keys),
        command=run.command,
    )
    create_run(target, null_run, shards=run.local_shards)
    on_phase("calibrating: the same plan against a null service on this machine")
    spent = _EmulatorCpu(emulator, on_progress)
    results = resume_run(target, stop, executor=executor, on_progress=spent)
    figures = calibration_figures(write_results(target, results), emulator_cpu=spent.seconds)
    write_fresh(folder / CALIBRATION, json.dumps(figures, indent=1) + "\n")
    return figures


def null_options(options: RunOptions) -> RunOptions:
    """Return the options of a run for a service that asks devices to wait for nothing."""
    return dataclasses.replace(
        options,
        settings=Settings().replace(
            id_scope="0ne00000000",
            endpoint="127.0.0.1",
            mqtt_session=options.settings.mqtt_session,
            timeout=options.settings.timeout,
            issue=options.settings.issue,
        ),
        keys_out=None,
        min_poll_interval=0.0,
        limit_rate=options.max_per_minute or 0,
        emulator=EmulatorOptions(assign_after=0.0, retry_after=0),
    )


class _EmulatorCpu:
    """Follows the CPU time of a run's emulator, each time that progress is reported."""

    def __init__(self, emulator: LocalEmulator, on_progress: OnProgress | None) -> None:
        self._emulator = emulator
        self._on_progress = on_progress
        self._readings: list[float] = []

    def __call__(self, progress: Progress) -> None:
        facts = self._emulator.ready_line()
        now = None if facts is None else cpu_seconds(facts["pid"])
        if now is not None:
            self._readings = [*self._readings[:1], now]

        if self._on_progress is not None:
            self._on_progress(progress)

    @property
    def seconds(self) -> float | None:
        """Seconds of CPU time since the first progress; None if the system does not report it."""
        return self._readings[-1] - self._readings[0] if self._readings else None


def calibration_figures(summary: Summary, *, emulator_cpu: float | None) -> dict[str, Any]:
    """Return the figures of a calibration from its summary.

    Args:
        summary: The summary of the calibration.
        emulator_cpu: Seconds of CPU time of the null service; None if it is not known.
    """
    transports = {
        name: {path.rpartition("/")[2]: pick(facts, path) for path in _FIGURES}
        for name, facts in summary["transports"].items()
    }
    devices = sum(facts["devices"] for facts in transports.values())
    generator = summary["generator"]
    figures = {
        "started_at": summary["started_at"],
        "transports": transports,
        "limited": generator["limited"],
        "why": generator["why"],
        "emulator_cpu": emulator_cpu / devices if emulator_cpu is not None and devices else None,
    }
    return {**figures, "sentences": _sentences(figures)}


def _sentences(figures: dict[str, Any]) -> list[str]:
    lines = [
        f"Calibration over {name}: the same plan against a null service measured p50 "
        f"{units.duration(facts['p50'])} and p99 {units.duration(facts['p99'])} at "
        f"{units.rate(facts['achieved_rate'])}: what the "
        "harness itself adds to a latency, or less."
        for name, facts in figures["transports"].items()
    ]
    if any(facts["failed"] for facts in figures["transports"].values()):
        lines.append("Devices failed in the calibration: this machine cannot carry out the plan.")

    if figures["limited"]:
        lines.append(f"The generator limited the calibration: {'; '.join(figures['why'])}.")

    cpu = figures["emulator_cpu"]
    if cpu is not None:
        lines.append(
            f"The null service's own work is in these figures: {units.duration(cpu)} of CPU time "
            "a device, on the same machine."
        )

    return lines


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time that a process has used; None if the system does not report it."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return None

    # The name of the program is in parentheses, and may contain anything.
    fields = text.rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")
