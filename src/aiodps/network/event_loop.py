"""Capabilities of event loops: not all of them can watch sockets for readiness.

The default loop of asyncio on Windows (proactor) cannot: it waits for operations to be completed.
There anyio waits for sockets in a thread, which is enough for everything but aiomqtt, which needs
`add_reader`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import anyio

from aiodps.errors import ConfigurationError


def watches_sockets() -> bool:
    """Return whether the running event loop is asyncio's, and has `add_reader`."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False

    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader


class HasFileno(Protocol):
    """Something with a file descriptor."""

    def fileno(self) -> int:
        """Return the file descriptor."""


class ReadWatch:
    """Calls a function whenever a socket is readable, as long as `until_read` waits.

    On asyncio it is a callback of the event loop: `anyio.wait_readable` would wake up the task
    for each record, with two system calls.
    """

    def __init__(self, sock: HasFileno, read: Callable[[], bool]) -> None:
        """Prepare to watch.

        Args:
            sock: The socket; `stop` before it is closed.
            read: Reads from it, and returns whether that was all.
        """
        self._sock = sock
        self._read = read
        self._loop = asyncio.get_running_loop() if watches_sockets() else None
        self._done: asyncio.Future[None] | None = None

    async def until_read(self) -> None:
        """Wait until `read` has returned True, or the watch was stopped."""
        if self._loop is None:
            with contextlib.suppress(anyio.ClosedResourceError):
                await anyio.wait_readable(self._sock)
                while not self._read():
                    await anyio.wait_readable(self._sock)

            return

        self._done = self._loop.create_future()
        self._loop.add_reader(self._sock.fileno(), self._on_readable)
        try:
            await self._done
        finally:
            self.stop()

    def _on_readable(self) -> None:
        try:
            if self._read():
                self.stop()
        except Exception as exc:  # noqa: BLE001 (raised in `until_read`)
            self.stop(exc)

    def stop(self, error: Exception | None = None) -> None:
        """Stop watching; elsewhere than on asyncio, the closing of the socket does."""
        done, self._done = self._done, None
        if done is None or self._loop is None:
            return

        self._loop.remove_reader(self._sock.fileno())
        if done.done():
            return

        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


async def wait_for_either(sock: HasFileno) -> None:
    """Wait until a socket can be read or written, or is being closed."""

    async def first(wait: Callable[[HasFileno], Awaitable[None]]) -> None:
        with contextlib.suppress(anyio.ClosedResourceError):
            await wait(sock)

        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first, anyio.wait_writable)
        tasks.start_soon(first, anyio.wait_readable)


def check_watches_sockets(session: str) -> None:
    """Refuse an event loop on which an MQTT session that needs `add_reader` cannot run.

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
