"""A shard's process is stopped from outside, and its run is told as limited."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fleet import stopper
from tests.fleet.fleets import spec
from tests.fleet.report.test_summary import FACTS
from tests.fleet.servers import server

from aiodps.fleet.journal.journal import Journal, journal_path
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.plan.arrivals import Arrivals, Closed, Open
from aiodps.fleet.report.summary import Summary, summarize
from aiodps.fleet.run.launch import Stop, process_pool, run_shards

pytestmark = pytest.mark.processes


class Stopper:
    """Starts `stopper.py` as soon as a device is assigned; ends it at the end of the block."""

    def __init__(self, pid: int, *figures: float) -> None:
        self._pid = pid
        self._command = [sys.executable, stopper.__file__, str(pid), *map(str, figures)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Callable[[Progress], None]:
        return self._on_progress

    def _on_progress(self, progress: Progress) -> None:
        if progress.assigned and self._process is None:
            self._process = subprocess.Popen(self._command)

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)


def disturbed(folder: Path, arrivals: Arrivals, count: int, *figures: float) -> Summary:
    """Return the summary of a run whose only shard is stopped again and again."""
    with server() as dps, process_pool(1) as pool:
        pid = pool.submit(os.getpid).result()
        shard = spec(dps.emulator, folder, count, arrivals=arrivals)
        with Stopper(pid, *figures) as on_progress:
            run_shards([shard], pool, stop=Stop(), on_progress=on_progress)

    with Journal.open(journal_path(folder, 0)) as journal:
        samples = [entry.sample for entry in journal.entries() if entry.sample is not None]
        return summarize(samples, replace(FACTS, sessions=tuple(journal.sessions())))


@pytest.mark.parametrize(("stop", "go"), [(0.06, 0.04), (0.09, 0.03)])
def test_stopped_regularly(tmp_path: Path, stop: float, go: float) -> None:
    """As by a CPU quota: each stop is shorter than any absolute limit would be."""
    summary = disturbed(tmp_path, Open(rate=20), 100, stop, go, 1000)

    assert summary["transports"]["rest"]["assigned"] == 100
    assert summary["generator"]["loop_lag_mean"] > 0.7 * stop**2 / (2 * (stop + go))
    assert "the event loop was late by" in "; ".join(summary["generator"]["why"])


def test_stopped_once(tmp_path: Path) -> None:
    """For two seconds, in a closed run: no device starts late, and the lag is seen all the same."""
    summary = disturbed(tmp_path, Closed(concurrency=5), 100, 2.0, 0.0, 1)

    assert summary["generator"]["loop_lag_max"] > 1.9
    assert "the event loop was late by" in "; ".join(summary["generator"]["why"])
