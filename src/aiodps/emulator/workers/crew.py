"""The workers of an emulator: started, served, and replaced when they die."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio.abc import Process, TaskGroup

from aiodps.emulator.desk import Desk
from aiodps.emulator.journal import Note
from aiodps.emulator.workers.channel import Channel
from aiodps.emulator.workers.clerk import Clerk
from aiodps.emulator.workers.frames import Setup
from aiodps.errors import ConfigurationError

COMMAND: Final = (sys.executable, "-P", "-m", "aiodps.emulator.workers.worker")
"""`-P`: none of our modules is looked for in the current directory."""
GRACE: Final = 5.0
"""Seconds that a worker has to end by itself."""
MOST: Final = 64
"""Workers: more than one process can feed."""
PAUSE: Final = 1.0
"""Seconds before another one takes the place of a worker that died before it listened."""

log = logging.getLogger(__name__)


def check_workers(count: int) -> None:
    """Refuse workers where they cannot be, and more than make sense.

    Raises:
        ConfigurationError: If they are too many, or this machine cannot share ports.
    """
    if not 0 <= count <= MOST:
        raise ConfigurationError(
            f"there cannot be {count} workers",
            setting="workers",
            hint=f"0 to {MOST}; about as many as the machine has cores is good",
        )

    if count and sys.platform != "linux":
        raise ConfigurationError(
            "workers need Linux, which spreads the connections of a port over processes",
            setting="workers",
            hint="leave them out: one process does some hundred registrations a second",
        )


async def start_workers(
    count: int, setup: Setup, desk: Desk, note: Note, tasks: TaskGroup
) -> None:
    """Start worker processes and return when all of them listen.

    Args:
        count: How many.
        setup: What each is to do.
        desk: Where their questions are answered.
        note: Takes down the handshakes that came to nothing.
        tasks: Where they are looked after; when it is cancelled, they end.

    Raises:
        ConfigurationError: If one of them does not get so far.
    """
    places = [_Place(setup, desk, note) for _ in range(count)]
    for place in places:
        tasks.start_soon(place.keep)

    for place in places:
        await place.decided.wait()
        if place.vacant:
            raise ConfigurationError(
                "a worker process does not start",
                setting="workers",
                hint="what it says on standard error tells why",
            )


class _Place:
    """The place of one worker, taken by one process after the other."""

    def __init__(self, setup: Setup, desk: Desk, note: Note) -> None:
        self.decided = anyio.Event()
        """Set when the first process listens, or has died without."""
        self.vacant = False
        """Whether it died without."""
        self._setup = setup
        self._desk = desk
        self._note = note

    async def keep(self) -> None:
        """Keep the place taken."""
        while True:
            listened = await self._fill()
            if not self.decided.is_set():
                self.vacant = True
                self.decided.set()
                return

            log.error("a worker died and its connections with it; another one takes its place")
            if not listened:
                await anyio.sleep(PAUSE)

    async def _fill(self) -> bool:
        """See one process through; tell whether it ever listened."""
        try:
            return await self._serve_one()
        except OSError as exc:  # of starting it, such as no descriptor left
            log.error("a worker cannot be started: %s", exc)  # noqa: TRY400 (the text says all)
            return False

    async def _serve_one(self) -> bool:
        async with _process() as sock, anyio.create_task_group() as tasks:
            channel = Channel(sock)
            clerk = Clerk(channel, self._desk, self._note, greet=self.decided.set)
            tasks.start_soon(channel.write)
            channel.post(self._setup)
            try:
                await clerk.serve()
            except Exception:
                log.exception("a worker makes no sense")

            tasks.cancel_scope.cancel()

        return clerk.greeted


@asynccontextmanager
async def _process() -> AsyncIterator[socket.socket]:
    """Run a worker as long as the block; give one end of the pair that it lives by."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            # In a session of its own, for Ctrl-C would reach it before it can ignore it.
            process = await anyio.open_process(
                COMMAND,
                stdin=theirs.fileno(),
                stdout=None,
                stderr=None,
                start_new_session=True,
            )

        try:
            yield ours
        finally:
            ours.close()
            with anyio.CancelScope(shield=True):
                await _end(process)


async def _end(process: Process) -> None:
    """Wait for a process that was told to end; if it does not, make it."""
    with anyio.move_on_after(GRACE):
        await process.wait()
        return

    process.kill()
    await process.wait()
