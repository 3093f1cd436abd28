"""Group commit for the journal: devices that write at the same time share one transaction.

An entry is durable when `write` returns, as if it had been written alone. While a thread writes
one batch, the entries of other devices collect in the next; so the event loop never waits for the
disk, and a burst of devices costs a few transactions, not thousands.
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
    """Entries of one transaction."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.done = anyio.Event()


class JournalWriter:
    """Writes entries in batches; after the first error, every write fails with it."""

    def __init__(self, journal: Journal) -> None:
        self.error: JournalError | None = None
        """Why nothing can be written any more; None while the journal works."""
        self._journal = journal
        self._batch = _Batch()
        self._pending = anyio.Event()
        # Shielded: devices that are cancelled still write their state.
        self._scope = anyio.CancelScope(shield=True)

    @classmethod
    @asynccontextmanager
    async def running(cls, journal: Journal) -> AsyncIterator[JournalWriter]:
        """Run a writer until the block ends; all entries are written by then."""
        writer = cls(journal)
        async with background_task(writer._run):
            try:
                yield writer
            finally:
                with anyio.CancelScope(shield=True):
                    await writer._last_batch()

                writer._scope.cancel()

    async def write(self, entry: Entry) -> None:
        """Write an entry, and return when it is durable.

        Raises:
            JournalError: If it is not durable. Nothing that depends on it may be done then.
        """
        self._check()
        batch = self._batch
        batch.entries.append(entry)
        self._pending.set()
        await batch.done.wait()
        self._check()

    def _check(self) -> None:
        if (error := self.error) is not None:
            # A new error for each device: errors are annotated with the device's details.
            raise JournalError(error.message, reason=error.reason, hint=error.hint)

    async def _run(self) -> None:
        with self._scope:
            while True:
                await self._pending.wait()
                await self._write()

    async def _write(self) -> None:
        batch, self._batch = self._batch, _Batch()
        self._pending = anyio.Event()
        try:
            if self.error is None:
                # Shielded: a thread cannot be interrupted, and its entries count.
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(self._journal.write, batch.entries)
        except JournalError as error:
            self.error = error
        finally:
            batch.done.set()

    async def _last_batch(self) -> None:
        while self._batch.entries and self.error is None:
            await self._batch.done.wait()
