"""Operations on a socket that need what the peer sends: tried whenever the socket is readable."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final, TypeVar

import anyio
from OpenSSL import SSL

from aiodps.emulator.connections.timeouts import asyncio_loop

T = TypeVar("T")

INCOMPLETE: Final = (SSL.WantReadError, BlockingIOError)
"""Raised by an operation that needs more than has arrived."""


class ReadWatch:
    """Watches one socket for one task.

    On asyncio the event loop is told once, and tries the operation itself: `anyio.wait_readable`
    tells it before and after each wait, which takes longer than most operations. While no
    operation is waiting, the peer's bytes stay with the kernel.

    Args:
        sock: A non-blocking socket.
        on_readable: Called before each attempt.
    """

    def __init__(
        self, sock: socket.socket, *, on_readable: Callable[[], None] = lambda: None
    ) -> None:
        self._socket = sock
        self._on_readable = on_readable
        self._loop = _loop_that_watches()
        self._watched: int | None = None
        self._waiting: tuple[Callable[[], Any], asyncio.Future[Any]] | None = None

    async def result_of(self, operation: Callable[[], T]) -> T:
        """Wait until the socket is readable, and the operation is complete.

        Raises:
            Exception: What the operation raises, except for `INCOMPLETE`.
        """
        if self._loop is None:
            return await self._retry(operation)

        if self._watched is None:
            self._watched = self._socket.fileno()
            self._loop.add_reader(self._watched, self._try)

        outcome: asyncio.Future[T | Exception] = self._loop.create_future()
        self._waiting = operation, outcome
        try:
            result = await outcome
        finally:
            self._waiting = None

        if not isinstance(result, Exception):
            return result

        try:
            raise result
        finally:
            del result, outcome  # which the frame in the traceback would refer to

    def stop(self) -> None:
        """Stop watching, before the socket is closed or watched by others."""
        if self._watched is not None and self._loop is not None:
            self._loop.remove_reader(self._watched)
            self._watched = None

    def _try(self) -> None:
        if self._waiting is None:
            self.stop()
            return

        operation, outcome = self._waiting
        if outcome.done():
            return

        self._on_readable()
        try:
            outcome.set_result(operation())
        except INCOMPLETE:
            pass
        except Exception as exc:  # noqa: BLE001 (raised where it is waited for)
            outcome.set_result(exc)
        finally:
            del outcome  # idem

    async def _retry(self, operation: Callable[[], T]) -> T:
        while True:
            await anyio.wait_readable(self._socket)
            self._on_readable()
            try:
                return operation()
            except INCOMPLETE:
                pass


def _loop_that_watches() -> asyncio.AbstractEventLoop | None:
    """Return asyncio's loop; None on trio, and for the one of Windows that watches no sockets."""
    loop = asyncio_loop()
    if loop is None:
        return None

    return None if type(loop).add_reader is asyncio.AbstractEventLoop.add_reader else loop
