"""Writes the journal for many devices at once: whoever waits shares the next trip to the disk.

Each entry is on the disk when `put` returns, exactly as if it had been written alone. While one
write is under way in a thread, the entries of other devices gather for the next; so the event
loop never waits for the disk, and a burst of devices costs a few writes, not thousands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio import to_thread

from aiodps.errors import JournalError
from aiodps.fleet.journal.background import background_task
from aiodps.fleet.journal.journal import Entry, Journal


class _Batch:
    """Entries that are written together."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.done = anyio.Event()


class JournalWriter:
    """Writes entries down; after the first failure it refuses everything."""

    def __init__(self, journal: Journal) -> None:
        self.trouble: JournalError | None = None
        """Why nothing is written any more; None as long as all is well."""
        self._journal = journal
        self._page = _Batch()
        self._work = anyio.Event()
        # Cancelled from outside, devices still have to say how far they came.
        self._desk = anyio.CancelScope(shield=True)

    @classmethod
    @asynccontextmanager
    async def running(cls, journal: Journal) -> AsyncIterator[JournalWriter]:
        """Work until the block ends; everything that was put is written then."""
        writer = cls(journal)
        async with background_task(writer._run):
            try:
                yield writer
            finally:
                with anyio.CancelScope(shield=True):
                    await writer._last_batch()

                writer._desk.cancel()

    async def write(self, entry: Entry) -> None:
        """Write an entry down, and return when it is on the disk.

        Raises:
            JournalError: If it is not. Nothing that depends on it may be done then.
        """
        if self.trouble is not None:
            raise _again(self.trouble)

        page = self._page
        page.entries.append(entry)
        self._work.set()
        await page.done.wait()
        if self.trouble is not None:
            raise _again(self.trouble)

    async def _run(self) -> None:
        with self._desk:
            while True:
                await self._work.wait()
                await self._write()

    async def _write(self) -> None:
        page, self._page = self._page, _Batch()
        self._work = anyio.Event()
        try:
            if self.trouble is None:
                # Not to be interrupted: a thread cannot be, and its entries count.
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(self._journal.write, page.entries)
        except JournalError as error:
            self.trouble = error
        finally:
            page.done.set()

    async def _last_batch(self) -> None:
        while self._page.entries and self.trouble is None:
            await self._page.done.wait()


def _again(error: JournalError) -> JournalError:
    """Make each device an error of its own: it is told there whose it was."""
    return JournalError(error.message, reason=error.reason, hint=error.hint)
