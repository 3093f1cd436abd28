"""Launcher of the shards of a run on an executor: they start together and stop on request."""

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

from aiodps.errors import ConfigurationError, ProvisioningError, ResourceError
from aiodps.fleet.measure.progress import Progress, total_progress
from aiodps.fleet.plan.spec import ShardSpec
from aiodps.fleet.run.control_files import POLL_INTERVAL, ControlFiles, Order
from aiodps.fleet.run.session import SessionEnd
from aiodps.fleet.run.shard import run_shard

START_DELAY = 0.5
"""Seconds between the time when all shards are ready and their start, for each to read it."""

_HANGUP = getattr(signal, "SIGHUP", None)
"""A terminal was closed, or an ssh session ended; Windows has no such signal."""
STOP_SIGNALS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, _HANGUP)))
"""Signals that ask a run to stop."""

OnProgress = Callable[[Progress], None]


class Stop:
    """A request of the user to stop the run: none, drain, or halt."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The first signal received; None if there was none."""
        self.order: Order | None = None
        self._terminals: list[int] = []

    def request(self, number: int, _frame: FrameType | None = None) -> None:
        """Request a drain; the second request halts the run."""
        if number == _HANGUP:
            # Whatever is still written there would fail, and end the run.
            self._let_go_of_terminals()

        self.order = Order.DRAIN if self.order is None else Order.HALT
        self.signal = self.signal or number

    def _let_go_of_terminals(self) -> None:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for handle in self._terminals:
            os.dup2(nowhere, handle)

        os.close(nowhere)

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Treat Ctrl-C, SIGTERM and a closed terminal (SIGHUP) as requests until the block ends.

        In the main thread only. A SIGHUP that is ignored stays so: `nohup` has done that. Shells
        ignore SIGINT for what they start in the background; sent on purpose, it still counts.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        self._terminals = [handle for handle in (0, 1, 2) if os.isatty(handle)]
        numbers = [each for each in STOP_SIGNALS if each != _HANGUP or not _ignored(each)]
        before = [signal.signal(number, self.request) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


def _ignored(number: int) -> bool:
    return signal.getsignal(number) == signal.SIG_IGN


def process_pool(count: int) -> Executor:
    """Return an executor with a number of processes on this machine."""
    return ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context("spawn"), initializer=_follow_parent
    )


def _follow_parent() -> None:
    """Ignore signals, which the parent forwards as orders, and exit with the parent."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)

    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Exit when the parent does; the journal survives that at any time."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_shards(
    specs: Sequence[ShardSpec],
    executor: Executor,
    *,
    stop: Stop,
    retry_failed: bool = False,
    start_at: float | None = None,
    on_progress: OnProgress | None = None,
) -> list[SessionEnd]:
    """Run shards until all have ended.

    Args:
        specs: The shards.
        executor: Runs all of them at once.
        stop: Asks them to end early.
        retry_failed: Whether failed devices are tried once more.
        start_at: When they start, in seconds since 1970; None for as soon as all are ready.
        on_progress: Called several times a second with the progress of all shards.

    Raises:
        ConfigurationError: If `start_at` had passed when all were ready; nothing was sent.
        ProvisioningError: The error of a shard that could not run; the others have ended too.
    """
    control = ControlFiles(specs[0].folder)
    control.create()
    try:
        futures = [
            executor.submit(functools.partial(run_shard, spec, retry_failed=retry_failed))
            for spec in specs
        ]
        in_time = _follow(
            specs, futures, control, stop, start_at=start_at, on_progress=on_progress
        )
    finally:
        control.remove()

    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda one: not isinstance(one, ProvisioningError)):
        if isinstance(error, BrokenExecutor):
            raise ResourceError(
                "the process of a shard was killed, perhaps because memory ran out",
                hint="resume the run with `aiodps fleet resume`; the journal is complete",
            ) from error

        raise error

    if start_at is not None and not in_time:
        raise start_has_passed(start_at)

    return [future.result() for future in futures]


def start_has_passed(at: float) -> ConfigurationError:
    """Return the error for a start time in the past: other shards may have started at it."""
    return ConfigurationError(
        f"the start time {at!r} has passed",
        setting="start_at",
        hint="give seconds since 1970 that leave time to check the devices, as "
        "`date +%s -d '+2 min'` does",
    )


def _follow(
    specs: Sequence[ShardSpec],
    futures: Sequence[Future[SessionEnd]],
    control: ControlFiles,
    stop: Stop,
    *,
    start_at: float | None,
    on_progress: OnProgress | None,
) -> bool:
    """Start the shards when all are ready, report progress, and forward orders, to the end.

    Returns:
        Whether the shards were ready in time; if not, they have been halted.
    """
    shards = [spec.shard for spec in specs]
    started, sent, in_time = False, None, True
    while True:
        pending = wait(futures, timeout=POLL_INTERVAL).not_done
        by_shard = control.read_progress(shards)
        if not started and len(by_shard) + len(futures) - len(pending) >= len(shards):
            started = True
            in_time = start_at is None or time.time() < start_at
            if in_time:
                control.order_start(start_at or time.time() + START_DELAY)
            else:
                stop.order = Order.HALT

        if stop.order is not sent and stop.order is not None:
            sent = stop.order
            control.send(sent)

        if on_progress is not None and by_shard:
            on_progress(total_progress(by_shard.values()))

        if not pending:
            return in_time

        if any(future.done() and future.exception() for future in futures):
            stop.order = stop.order or Order.DRAIN
