"""Runs the shards of a run on an executor: all begin together, and all hear when to stop."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from types import FrameType

from aiodps.errors import ProvisioningError, ResourceError
from aiodps.fleet.measure.progress import Progress, together
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.control_files import POLL_INTERVAL, ControlFiles, Order
from aiodps.fleet.run.session import SessionEnd
from aiodps.fleet.run.shard import run_shard

HEAD_START = 0.5
"""Seconds between "all are ready" and the start, so that every shard has read it."""

OnProgress = Callable[[Progress], None]


class Stop:
    """What the user asked for: nothing, an end in good order, or an end now."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The first signal that came; None if none has."""
        self.order: Order | None = None

    def request(self, number: int, _frame: FrameType | None = None) -> None:
        """Ask once: no new devices. Ask again: stop now."""
        self.order = Order.DRAIN if self.order is None else Order.HALT
        self.signal = self.signal or number

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C and SIGTERM as questions until the block ends; in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self.request) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


def processes(count: int) -> Executor:
    """Return an executor with so many processes on this machine."""
    return ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context("spawn"), initializer=_belong_to_parent
    )


def _belong_to_parent() -> None:
    """Leave signals to the parent, who tells the shards, and do not outlive it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent's death; the journal is always ready for that."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_shards(
    specs: Sequence[ShardSpec],
    executor: Executor,
    *,
    stop: Stop,
    again: bool = False,
    start_at: float | None = None,
    on_progress: OnProgress | None = None,
) -> list[SessionEnd]:
    """Run shards until all have ended.

    Args:
        specs: The shards; the executor must be able to run all of them at once.
        executor: Where they run.
        stop: Asks them to end early.
        again: Whether failed devices are tried once more.
        start_at: When they begin, in seconds since 1970; None for as soon as all are ready.
        on_progress: Told some times a second how the run stands.

    Raises:
        ProvisioningError: The first shard's that could not run; the others have ended too.
    """
    control = ControlFiles(specs[0].folder)
    control.begin()
    try:
        futures = [
            executor.submit(functools.partial(run_shard, spec, again=again)) for spec in specs
        ]
        _follow(specs, futures, control, stop, start_at=start_at, on_progress=on_progress)
    finally:
        control.end()

    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda one: not isinstance(one, ProvisioningError)):
        raise _lost() if isinstance(error, BrokenExecutor) else error

    return [future.result() for future in futures]


def _lost() -> ResourceError:
    return ResourceError(
        "the process of a shard was killed, perhaps because memory ran out",
        hint="resume it with `aiodps fleet resume`; nothing in the journal is lost",
    )


def _follow(
    specs: Sequence[ShardSpec],
    futures: Sequence[Future[SessionEnd]],
    control: ControlFiles,
    stop: Stop,
    *,
    start_at: float | None,
    on_progress: OnProgress | None,
) -> None:
    """Start the shards, show how they stand, and pass on what the user asks, to the end."""
    shards = [spec.shard for spec in specs]
    started, told = False, None
    while True:
        pending = wait(futures, timeout=POLL_INTERVAL).not_done
        progress_of_shards = control.progress_of_shards(shards)
        if not started and len(progress_of_shards) + len(futures) - len(pending) >= len(shards):
            control.start(max(start_at or 0.0, time.time() + HEAD_START))
            started = True

        if stop.order is not told and stop.order is not None:
            told = stop.order
            control.give(told)

        if on_progress is not None and progress_of_shards:
            on_progress(together(progress_of_shards.values()))

        if not pending:
            return

        if any(future.done() and future.exception() for future in futures):
            stop.order = stop.order or Order.DRAIN
