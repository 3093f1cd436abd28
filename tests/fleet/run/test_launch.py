"""Many shards begin together, and hear when to stop."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.fleet.fleets import NEVER, spec
from tests.fleet.servers import server

from aiodps.errors import ConfigurationError, JournalError, ResourceError
from aiodps.fleet.journal.journal import Journal, journal_path
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.plan.arrivals import Burst, Closed
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run import engine, launch, session
from aiodps.fleet.run.control_files import ControlFiles, Order
from aiodps.fleet.run.launch import Stop, process_pool, run_shards

pytestmark = pytest.mark.sockets


def shards(whole: ShardSpec, count: int) -> list[ShardSpec]:
    """Part a run."""
    options = dataclasses.replace(whole.options, shards=count)
    return [dataclasses.replace(whole, options=options, shard=shard) for shard in range(count)]


def test_shards_share_the_devices_and_begin_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each device in one shard; all begin at one time; the counts add up."""
    monkeypatch.setattr(session, "MAX_LATE", NEVER)
    seen: list[Progress] = []
    with server() as dps, ThreadPoolExecutor(3) as pool:
        parts = shards(spec(dps.emulator, tmp_path, 10, arrivals=Burst()), 3)
        ends = run_shards(parts, pool, stop=Stop(), on_progress=seen.append)
        assert sorted(dps.emulator.counts.register_requests.values()) == [1] * 10

    started = []
    for shard in range(3):
        with Journal.open(journal_path(tmp_path, shard)) as journal:
            started.append(journal.sessions()[0].started)

    assert [end.progress.assigned for end in ends] == [4, 3, 3]
    assert max(started) == min(started)
    assert seen[-1].total == seen[-1].assigned == 10
    assert not (tmp_path / "control").exists()


def test_a_start_that_passes_while_shards_get_ready(tmp_path: Path) -> None:
    """Nothing is sent, and no session told: other machines' shards have started without these."""
    with server() as dps, ThreadPoolExecutor(2) as pool:
        parts = shards(spec(dps.emulator, tmp_path, 10), 2)
        with pytest.raises(ConfigurationError, match="has passed"):
            run_shards(parts, pool, stop=Stop(), start_at=1.0)

        assert not dps.emulator.counts.register_requests

    with Journal.open(journal_path(tmp_path, 0)) as journal:
        assert journal.sessions() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_two_signals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Once: no new devices, running ones end. Twice: all stops now, and may be gone on with."""
    monkeypatch.setattr(engine, "GRACE", NEVER)
    monkeypatch.setattr(launch, "_ignored", lambda _: False)  # `nohup pytest` is no such run
    with server(assign_after=NEVER, retry_after=1) as dps, ThreadPoolExecutor(1) as pool:
        stop = Stop()
        parts = shards(spec(dps.emulator, tmp_path, 9, arrivals=Closed(concurrency=3)), 1)

        def ask(progress: Progress) -> None:
            if progress.in_flight == 3 and stop.order is None:
                os.kill(os.getpid(), number)
            elif stop.order is Order.DRAIN:
                os.kill(os.getpid(), signal.SIGINT)

        with stop.handling_signals():
            (end,) = run_shards(parts, pool, stop=stop, on_progress=ask)

    assert stop.order is Order.HALT
    assert stop.signal == number
    assert (end.progress.assigned, end.progress.left, end.progress.in_flight) == (0, 9, 0)
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_so() -> None:
    """`nohup` keeps a run going when its terminal is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop().handling_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_closed_terminal_is_written_to_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """That would be an error, and end the run before it has drained."""
    theirs, ours = os.openpty()
    stop = Stop()
    monkeypatch.setattr(os, "isatty", lambda handle: handle in {1, ours})
    kept = os.dup(1)
    try:
        os.dup2(ours, 1)
        with stop.handling_signals():
            os.close(theirs)
            with pytest.raises(OSError, match="Input/output error"):
                os.write(1, b"x")

            os.kill(os.getpid(), signal.SIGHUP)
            os.write(1, b"x")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(ours)

    assert stop.order is Order.DRAIN


@pytest.mark.parametrize("full", ["start.json", "0001.json", ""])
def test_a_disk_that_is_full_at_the_start_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    """No shard runs on for nobody, or waits for a start that never comes."""
    with server(assign_after=NEVER) as dps, ThreadPoolExecutor(2) as pool:
        parts = shards(spec(dps.emulator, tmp_path, 9, arrivals=Closed(concurrency=2)), 2)

        write = ControlFiles._write

        def fail(self: ControlFiles, name: str, data: dict[str, Any]) -> None:
            if full in name:
                raise OSError(errno.ENOSPC, "No space left on device")

            write(self, name, data)

        monkeypatch.setattr(ControlFiles, "_write", fail)
        with pytest.raises(JournalError) as caught:
            run_shards(parts, pool, stop=Stop(), start_at=None)

    assert caught.value.reason == "unwritable"


def test_signals_are_left_alone_in_other_threads() -> None:
    """A run inside somebody's thread pool takes no signal over."""
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def listen() -> None:
        with Stop().handling_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()

    assert seen == [before]


def test_a_shard_that_cannot_run_stops_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They end in good order, and what went wrong is told."""
    monkeypatch.setattr(engine, "GRACE", 0.0)
    with server(assign_after=NEVER) as dps, ThreadPoolExecutor(2) as pool:
        parts = shards(spec(dps.emulator, tmp_path, 40, arrivals=Closed(concurrency=2)), 2)
        broken = journal_path(tmp_path, 1)
        broken.parent.mkdir()
        broken.write_bytes(b"no journal" * 1000)
        with pytest.raises(JournalError) as caught:
            run_shards(parts, pool, stop=Stop())

    assert caught.value.reason == "damaged"
    assert sum(dps.emulator.counts.register_requests.values()) <= 1


def test_a_shard_whose_process_is_killed(tmp_path: Path) -> None:
    """It is told in words, and the run may be gone on with."""
    with server(assign_after=NEVER, retry_after=1) as dps, process_pool(1) as pool:
        parts = shards(spec(dps.emulator, tmp_path, 6), 1)

        shard: Future[int] = pool.submit(os.getpid)
        process = psutil.Process(shard.result())

        def kill(progress: Progress) -> None:
            if progress.in_flight:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

        with pytest.raises(ResourceError, match="was killed"):
            run_shards(parts, pool, stop=Stop(), on_progress=kill)

    with Journal.open(journal_path(tmp_path, 0)) as journal:
        assert len(journal.entries()) == 6


def _clock_is_ahead() -> None:
    right = time.time
    time.time = lambda: right() + 3.0


@pytest.mark.processes
def test_a_worker_whose_clock_is_ahead(tmp_path: Path) -> None:
    """It starts by the leader's clock, and says how far its own is off."""
    spawn = multiprocessing.get_context("spawn")
    with (
        server() as dps,
        ProcessPoolExecutor(1, mp_context=spawn, initializer=_clock_is_ahead) as pool,
    ):
        run_shards(shards(spec(dps.emulator, tmp_path, 4), 1), pool, stop=Stop())

    with Journal.open(journal_path(tmp_path, 0)) as journal:
        (facts,) = journal.sessions()

    assert facts.skew is not None
    assert 0 < facts.skew <= 3.0


def test_processes_of_this_machine(tmp_path: Path) -> None:
    """The same, spawned; signals are the parent's affair there."""
    with server() as dps, process_pool(2) as pool:
        ignored: Future[Any] = pool.submit(signal.getsignal, signal.SIGINT)
        assert ignored.result() is signal.SIG_IGN
        parts = shards(spec(dps.emulator, tmp_path, 6, transports=("mqtt",)), 2)
        ends = run_shards(parts, pool, stop=Stop())

    assert [end.progress.assigned for end in ends] == [3, 3]
