"""Capabilities of event loops: not all of them can watch sockets for readiness.

The default loop of asyncio on Windows (proactor) cannot: it waits for operations to be completed.
There anyio waits for sockets in a thread, and the native MQTT session is the default: the session
of aiomqtt is not tested there.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Protocol

import anyio

from aiodps.errors import ConfigurationError
from aiodps.observe import event_loop_clock

_LOOK_AGAIN = 0.1
"""Seconds without being able to send, after which somebody looks for what has arrived."""


def watches_sockets() -> bool:
    """Return whether the running event loop is asyncio's, and has `add_reader`."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False

    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader


def sleep_until(when: float) -> Coroutine[Any, Any, None]:
    """Wait until a time of the event loop's clock.

    On asyncio without the three coroutines of `anyio.sleep_until`, which each device would hold.
    """
    clock = event_loop_clock()
    if clock is anyio.current_time:
        return anyio.sleep_until(when)

    return asyncio.sleep(max(when - clock(), 0.0))


class HasFileno(Protocol):
    """Something with a file descriptor."""

    def fileno(self) -> int:
        """Return the file descriptor."""


class ReadWatch:
    """Calls a function whenever a socket is readable, for whoever waits for what it brings.

    On asyncio it is one callback, from the first wait until it is stopped, and one timer:
    `anyio.wait_readable` would wake up the task for each record, and ask the kernel twice, and a
    cancel scope of anyio costs four times as much as a timer. Elsewhere the function is called
    only while somebody waits.
    """

    def __init__(self, sock: HasFileno, *, between_waits: bool = True) -> None:
        """Prepare to watch a socket; `stop` before it is closed, or others wait for it.

        Args:
            sock: The socket.
            between_waits: Whether to read, on asyncio, what arrives while nobody waits. If not, it
                stays unread until the next wait.
        """
        self._sock = sock
        self._between_waits = between_waits
        self._loop = asyncio.get_running_loop() if watches_sockets() else None
        self._watches = False
        self._waits = False
        self._done: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = math.inf

    async def until_read(self, read: Callable[[], bool], *, until: float = math.inf) -> None:
        """Wait until a function has read all, the watch was stopped, or it is late.

        It may return early, because there is one timer for all waits: whoever waits looks again.

        Args:
            read: Reads from the socket, and returns whether that was all; always the same. It is
                not kept here, or whoever has the watch would be part of a cycle.
            until: The latest time to return, of the event loop's clock.
        """
        if self._loop is None:
            with self._waiting(until):
                await anyio.wait_readable(self._sock)
                while not read():
                    await anyio.wait_readable(self._sock)

            return

        if not self._watches:
            self._watches = True
            self._loop.add_reader(self._sock.fileno(), self._on_readable, read)

        if until < self._wakes_at:
            self._end_timer()
            self._timer = self._loop.call_at(until, self._on_time)
            self._wakes_at = until

        self._done = self._loop.create_future()
        try:
            await self._done
        finally:
            self._done = None

    async def until_writable(self, until: float) -> None:
        """Wait until the socket can be written, the watch was stopped, or it is late.

        It may return early: whoever waits looks for what has arrived, and again. To wait for both
        at once would end the thread in which anyio 4.16 waits where the loop watches no sockets.
        """
        self.stop()
        with self._waiting(min(until, event_loop_clock()() + _LOOK_AGAIN)):
            await anyio.wait_writable(self._sock)

    @contextlib.contextmanager
    def _waiting(self, until: float) -> Iterator[None]:
        """Wait with anyio until a time, or until `stop` tells it."""
        self._waits = True
        try:
            with contextlib.suppress(anyio.ClosedResourceError), anyio.move_on_at(until):
                yield
        finally:
            self._waits = False

    def _on_readable(self, read: Callable[[], bool]) -> None:
        is_awaited = self._done is not None and not self._done.done()
        if not is_awaited and not self._between_waits:
            self.stop()
            return

        try:
            if read():
                self._wake()
        except Exception as exc:
            waiting, self._done = self._done, None
            self.stop()
            if waiting is None or waiting.done():
                raise

            waiting.set_exception(exc)

    def _on_time(self) -> None:
        self._end_timer()
        self._wake()

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._wakes_at = None, math.inf

    def _wake(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def stop(self) -> None:
        """Stop watching, and wake up whoever waits; the socket may be closed then."""
        if self._waits:
            anyio.notify_closing(self._sock)

        if self._watches and self._loop is not None:
            self._watches = False
            self._loop.remove_reader(self._sock.fileno())

        self._end_timer()
        self._wake()


async def until_readable(sock: HasFileno, until: float = math.inf) -> bool:
    """Wait until a socket can be read; return whether it can.

    Args:
        sock: The socket.
        until: The latest time to return, of the event loop's clock.
    """
    if not watches_sockets():
        return await _in_time(anyio.wait_readable, sock, until)

    loop = asyncio.get_running_loop()
    return await _ready(loop, loop.add_reader, loop.remove_reader, sock.fileno(), until)


async def until_writable(sock: HasFileno, until: float = math.inf) -> bool:
    """Wait until a socket can be written; see `until_readable`."""
    if not watches_sockets():
        return await _in_time(anyio.wait_writable, sock, until)

    loop = asyncio.get_running_loop()
    return await _ready(loop, loop.add_writer, loop.remove_writer, sock.fileno(), until)


async def _in_time(
    wait: Callable[[HasFileno], Awaitable[None]], sock: HasFileno, until: float
) -> bool:
    with anyio.move_on_at(until):
        await wait(sock)
        return True

    return False


async def _ready(
    loop: asyncio.AbstractEventLoop,
    add: Callable[..., object],
    remove: Callable[[int], object],
    descriptor: int,
    until: float,
) -> bool:
    """Wait without anyio, whose wait within a cancel scope makes four times as many calls."""
    ready: asyncio.Future[bool] = loop.create_future()

    def end(in_time: bool) -> None:  # noqa: FBT001 (called by the event loop)
        if not ready.done():
            ready.set_result(in_time)

    timer = loop.call_at(until, end, False) if until < math.inf else None
    add(descriptor, end, True)
    try:
        return await ready
    finally:
        remove(descriptor)
        if timer is not None:
            timer.cancel()


def check_watches_sockets(session: str) -> None:
    """Refuse an event loop on which an MQTT session cannot run, or is not tested.

    Args:
        session: Its name, for the message.

    Raises:
        ConfigurationError: If it is trio's, or the one of Windows that does not watch sockets.
    """
    if watches_sockets():
        return

    try:
        loop = type(asyncio.get_running_loop()).__name__
    except RuntimeError as exc:
        raise ConfigurationError(
            f"the MQTT session of {session} requires asyncio, which is not running",
            setting="session",
            hint="use the native session, which also runs on trio",
        ) from exc

    raise ConfigurationError(
        f"the MQTT session of {session} cannot run on a {loop}, which does not watch sockets",
        setting="session",
        hint="use the native session, or asyncio.run(..., loop_factory=asyncio.SelectorEventLoop)",
    )


def backend_options(platform: str = sys.platform) -> dict[str, Any]:
    """Return options of `anyio.run` for an event loop on which every transport runs."""
    return {"loop_factory": asyncio.SelectorEventLoop} if platform == "win32" else {}
