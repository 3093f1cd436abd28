"""One run of devices through this machine, watched, and bounded in time and memory."""

from __future__ import annotations

import json
import secrets
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from benchmarks.processes import Look, Processes

from aiodps.fleet.local_emulator import LocalEmulator, with_address
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.plan.arrivals import Closed
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.plan.spec import JournalMode, RunOptions, ShardSpec
from aiodps.fleet.report.results import Results, read_results, write_results
from aiodps.fleet.report.summary import Summary
from aiodps.fleet.run.control_files import Order
from aiodps.fleet.run.launch import Stop, process_pool, run_shards
from aiodps.settings import Settings

_LINES: Final = 20
"""Lines that tell how far a run is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How devices arrive, and when a run stops itself."""

    concurrency: int
    """Devices in flight, in all shards together."""
    shards: int
    journal: JournalMode
    minutes: float
    """Most for a run."""
    gigabytes: float
    """Most of all processes together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a run leaves."""

    devices: int
    transport: str
    results: Results
    summary: Summary
    registers: Mapping[str, int]
    """Register requests by registration id, as the emulator has counted them."""
    looks: list[Look]
    began: float
    """When keys began to be made, in seconds since 1970."""
    ready: Look
    """When all of them were made."""
    ended: Look
    """When the last device had ended."""
    written: Look
    """When all results were written."""
    stopped: str | None
    """Why the run stopped itself; None if it did not."""

    @property
    def started(self) -> float:
        """When the first device started, in seconds since 1970."""
        return min((each.started for each in self.results.sessions), default=self.ready.at)


@dataclass
class ScaleRun:
    """A run of so many devices over one transport."""

    plan: Plan
    devices: int
    transport: str
    _stop: Stop = field(default_factory=Stop)
    _stopped: str | None = None
    _processes: Processes | None = None
    _ready: Look | None = None
    _shown: int = 0
    """Devices that had ended when it was last said how many."""

    def measure(self, folder: Path) -> Done:
        """Run until all devices have ended, or a bound is reached."""
        emulator = LocalEmulator.for_run(folder)
        emulator.create()
        folder.mkdir()
        with emulator.running(retry_after=0, admin_port=0) as facts:
            processes = self._processes = Processes(facts["pid"], self._on_look)
            run = self._run_file(emulator, facts)
            run.write(folder)
            began = processes.look().at
            with processes.watched(), self._bounded():
                self._run(run, folder)

            ended = processes.look()
            registers = _registers(emulator)

        results = read_results(folder)
        summary = write_results(folder, results)
        return Done(
            devices=self.devices,
            transport=self.transport,
            results=results,
            summary=summary,
            registers=registers,
            looks=processes.looks,
            began=began,
            ready=self._ready or ended,
            ended=ended,
            written=processes.look(),
            stopped=self._stopped,
        )

    def _run(self, run: RunFile, folder: Path) -> None:
        shards = self.plan.shards
        specs = [
            ShardSpec(
                run_id=run.run_id,
                options=run.options,
                shard=shard,
                source=run.source,
                folder=folder,
            )
            for shard in range(shards)
        ]
        with self._stop.handling_signals(), process_pool(shards) as executor:
            run_shards(specs, executor, stop=self._stop, on_progress=self._on_progress)

    def _run_file(self, emulator: LocalEmulator, facts: Mapping[str, Any]) -> RunFile:
        settings = Settings(id_scope=facts["id_scope"], endpoint=facts["host"], timeout=180.0)
        options = RunOptions(
            settings=settings,
            transports=(self.transport,),
            arrivals=Closed(concurrency=self.plan.concurrency),
            shards=self.plan.shards,
            journal=self.plan.journal,
            min_poll_interval=0.0,
        )
        return RunFile(
            run_id=secrets.token_hex(8),
            options=with_address(options, facts),
            source=emulator.devices(self.devices),
            command="python -m benchmarks.scale",
        )

    def _on_progress(self, progress: Progress) -> None:
        """Note when all shards have loaded their devices; show how far they are."""
        if self._ready is None and progress.total == self.devices:
            assert self._processes is not None
            self._ready = self._processes.look()

        done = progress.assigned + progress.failed
        if done >= self._shown + self.devices / _LINES:
            self._shown = done
            print(f"{self.transport}: {done:,} of {self.devices:,}", file=sys.stderr)

    def _on_look(self, look: Look) -> None:
        if look.total_memory > self.plan.gigabytes * 1e9:
            self._halt(f"over {self.plan.gigabytes:g} GB")

    def _halt(self, why: str) -> None:
        self._stopped = self._stopped or why
        self._stop.order = Order.HALT

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """Halt the run if the block takes too long."""
        minutes = self.plan.minutes
        timer = threading.Timer(60 * minutes, self._halt, [f"over {minutes:g} minutes"])
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _registers(emulator: LocalEmulator) -> dict[str, int]:
    """Ask the emulator for its own counts."""
    facts = json.loads(emulator.folder.joinpath("emulator.json").read_text("utf-8"))
    answer = httpx.get(
        f"{facts['admin_url']}/api/counts",
        headers={"Authorization": f"Bearer {facts['admin_token']}"},
        trust_env=False,
        timeout=60,
    )
    registers: dict[str, int] = answer.raise_for_status().json()["register_requests"][
        "by_registration_id"
    ]
    return registers
