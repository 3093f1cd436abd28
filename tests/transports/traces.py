"""What could be left behind, and a way to cancel at every place where something waits."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import trio
from tests.scripted.server import THREADS

OURS = ("look-up of ", "paho", THREADS)
"""What the names of threads begin with that the client, or a test's server, may start."""


def traces() -> tuple[object, ...]:
    """List what could be left behind: descriptors, threads, and what the event loop holds."""
    gc.collect()
    _await_look_ups()
    return (
        sorted(os.listdir("/proc/self/fd")),  # noqa: PTH208 (numbers, not paths)
        our_threads(),
        *_of_the_loop(),
    )


def look_at_newer_objects_only() -> None:
    """Spare `traces` what is here now: thousands of tests leave millions of objects to look at."""
    gc.collect()
    gc.freeze()


def our_threads() -> list[str]:
    """Name the threads that are ours; trio and pools keep some of their own for later."""
    return sorted(one.name for one in threading.enumerate() if one.name.startswith(OURS))


def _await_look_ups() -> None:
    """Let look-ups end: they may finish alone, and hold a descriptor until then."""
    for thread in threading.enumerate():
        if thread.name.startswith("look-up of "):
            thread.join()


def _of_the_loop() -> tuple[object, ...]:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return (trio.lowlevel.current_statistics().tasks_living,)

    return (
        sum(not task.done() for task in asyncio.all_tasks()),
        sorted(loop._selector.get_map()),  # type: ignore[attr-defined]
        [handle for handle in loop._scheduled if not handle._cancelled],  # type: ignore[attr-defined]
    )


async def cancelled_at(k: int, work: Callable[[], Awaitable[object]]) -> bool:
    """Run something and cancel it at the k-th place where it waits.

    Returns:
        Whether there was such a place; if not, the work was done to its end.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return await _on_trio(k, work)

    counted = _CancelAt(work(), k)
    task = asyncio.ensure_future(counted)
    await asyncio.wait([task])
    assert task.cancelled() == counted.reached
    if not counted.reached:
        task.result()

    return counted.reached


async def _on_trio(k: int, work: Callable[[], Awaitable[object]]) -> bool:
    with trio.CancelScope() as scope:
        instrument = _CancelStep(trio.lowlevel.current_task(), scope, k)
        trio.lowlevel.add_instrument(instrument)
        try:
            await work()
        finally:
            trio.lowlevel.remove_instrument(instrument)

    return scope.cancelled_caught


class _CancelStep(trio.abc.Instrument):
    """Cancels a scope once its task has been put aside k times."""

    def __init__(self, task: trio.lowlevel.Task, scope: trio.CancelScope, k: int) -> None:
        self._task = task
        self._scope = scope
        self._left = k
        self.reached = False

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count."""
        if task is not self._task or self.reached:
            return

        if self._left == 0:
            self.reached = True
            self._scope.cancel()

        self._left -= 1


class _CancelAt:
    """Runs a coroutine and cancels the task that runs it at the k-th place where it waits."""

    def __init__(self, work: Awaitable[object], k: int) -> None:
        self._work = work
        self._k = k
        self.reached = False

    def __await__(self) -> Generator[Any, Any, None]:
        """Pass everything through, and count."""
        steps = self._work.__await__()
        count = 0
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited = steps.throw(error) if error is not None else steps.send(value)
            except StopIteration:
                return

            if count == self._k:
                self.reached = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()

            count += 1
            value, error = None, None
            try:
                value = yield waited
            except BaseException as exc:  # noqa: BLE001 (passed on)
                error = exc
