"""Virtual time: event loops whose clock a test does not have to wait for.

`virtual_time` marks tests without a peer outside of their event loop: the clock stands still while
anything runs, and then jumps to what is next. Hours pass at once (`elapse`), and what is measured is
exact on any machine. Sockets of a pair (`socket.socketpair`) are fine.

`on_both_loops` and `on_asyncio` are for tests with real sockets: the clock runs, and `jump` puts it
forward once what is waited for has happened.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import anyio
import pytest
import trio.lowlevel
import trio.testing
from anyio import to_thread


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: when no socket is ready the time has come at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; wait only if there is nothing to jump to."""
        ready = super().select(0 if timeout else timeout)
        if not ready and timeout:
            self.now += timeout

        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Event loop of asyncio in virtual time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._jumping.now


class JumpingLoop(asyncio.SelectorEventLoop):
    """Event loop of asyncio whose clock can be put forward."""

    _ahead = 0.0

    def time(self) -> float:
        """Return the seconds of the real clock, and those that were jumped."""
        return super().time() + self._ahead

    def jump(self, seconds: float) -> None:
        """Put the clock forward; timers that are due then fire in the next round."""
        self._ahead += seconds


Backend: TypeAlias = tuple[str, dict[str, Any]]
"""An event loop of anyio, with its options."""


def _on_virtual_asyncio() -> Backend:
    return "asyncio", {"loop_factory": VirtualLoop}


def _on_virtual_trio() -> Backend:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


def _on_jumping_asyncio() -> Backend:
    return "asyncio", {"loop_factory": JumpingLoop}


def _on_jumping_trio() -> Backend:
    return "trio", {"clock": trio.testing.MockClock(rate=1.0)}


VIRTUAL_ASYNCIO = pytest.param(_on_virtual_asyncio, id="asyncio")
VIRTUAL_TRIO = pytest.param(_on_virtual_trio, id="trio")
ASYNCIO = pytest.param(_on_jumping_asyncio, id="asyncio")
TRIO = pytest.param(_on_jumping_trio, id="trio")
# The fixture `anyio_backend` calls them, so that each test has a clock of its own.

on_virtual_asyncio = pytest.mark.parametrize("anyio_backend", [VIRTUAL_ASYNCIO], indirect=True)
"""Marks a test that runs in virtual time on asyncio."""
on_virtual_trio = pytest.mark.parametrize("anyio_backend", [VIRTUAL_TRIO], indirect=True)
"""The same on trio."""
virtual_time = pytest.mark.parametrize(
    "anyio_backend", [VIRTUAL_ASYNCIO, VIRTUAL_TRIO], indirect=True
)
"""Marks a test that runs in virtual time, on both event loops."""
on_asyncio = pytest.mark.parametrize("anyio_backend", [ASYNCIO], indirect=True)
"""Marks a test on asyncio whose clock `jump` puts forward."""
on_both_loops = pytest.mark.parametrize("anyio_backend", [ASYNCIO, TRIO], indirect=True)
"""The same on both event loops."""


async def elapse(seconds: float) -> None:
    """Wait until virtual time has passed; where the clock is real, this fails instead of waiting."""
    if trio.lowlevel.in_trio_run():
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        assert clock.autojump_threshold == 0
    else:
        assert isinstance(asyncio.get_running_loop(), VirtualLoop)

    await anyio.sleep(seconds)


def jump(seconds: float) -> None:
    """Put the clock of the running event loop forward, also while something runs."""
    if trio.lowlevel.in_trio_run():
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        clock.jump(seconds)
        return

    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    loop.jump(seconds)


def use_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of durations be virtual too, and work for threads be done at once.

    The virtual clock jumps while a thread works; what a thread does would seem to take hours.
    """

    async def at_once(work: Callable[..., Any], *words: Any, **_: Any) -> Any:
        return work(*words)

    monkeypatch.setattr(to_thread, "run_sync", at_once)
    monkeypatch.setattr(time, "monotonic", anyio.current_time)
