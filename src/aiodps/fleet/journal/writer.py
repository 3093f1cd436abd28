"""Group commit for the journal: devices that write at the same time share one transaction.

While a thread writes one batch, the entries of other devices collect in the next; so the event
loop never waits for the disk, and a burst of devices costs a few transactions, not thousands.

A device waits for its entry where the journal is durable: it is as if the entry had been written
alone. Otherwise nobody waits, and the entries are written every `INTERVAL` seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio import to_thread

from aiodps.errors import JournalError
from aiodps.fleet.journal.background import background_task
from aiodps.fleet.journal.journal import Entry, Journal
from aiodps.fleet.journal.sessions import SessionFacts

INTERVAL = 0.5
"""Most seconds between two writes: a kill loses as much of the entries that nothing waits for."""


class _Batch:
    """Entries of one transaction."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        """By number; a later entry of a registration replaces an earlier one."""
        self.done = anyio.Event()


class JournalWriter:
    """Writes entries in batches; after the first error, every write fails with it."""

    def __init__(
        self, journal: Journal, *, session: Callable[[], SessionFacts], durable: bool = True
    ) -> None:
        """Use `running` instead.

        Args:
            journal: Where entries are written.
            session: Returns the facts of the session as of now; they are in each transaction.
            durable: Whether `write` waits until an entry is in the journal.
        """
        self.error: JournalError | None = None
        """Why nothing can be written any more; None while the journal works."""
        self._journal = journal
        self._session = session
        self.durable = durable
        self._batch = _Batch()
        self._pending = anyio.Event()
        # Shielded: devices that are cancelled still write their state.
        self._scope = anyio.CancelScope(shield=True)

    @classmethod
    @asynccontextmanager
    async def running(
        cls, journal: Journal, *, session: Callable[[], SessionFacts], durable: bool = True
    ) -> AsyncIterator[JournalWriter]:
        """Run a writer until the block ends; all entries are written by then.

        See the constructor for the arguments.

        Raises:
            JournalError: If entries that nobody waited for could not be written.
        """
        writer = cls(journal, session=session, durable=durable)
        async with background_task(writer._run):
            try:
                yield writer
            finally:
                with anyio.CancelScope(shield=True):
                    await writer._last_batch()

                writer._scope.cancel()

        writer.check()

    async def write(self, entry: Entry) -> None:
        """Write an entry; if the journal is durable, return when the entry is.

        Raises:
            JournalError: If it is not written. Nothing that depends on it may be done then.
        """
        self.check()
        self.note(entry)
        if self.durable:
            batch = self._batch
            self._pending.set()
            await batch.done.wait()
            self.check()

    async def write_outcome(self, entry: Entry) -> None:
        """Write an entry that must be in the journal even if its device is cancelled.

        Raises:
            JournalError: If it is not written.
        """
        if not self.durable:
            await self.write(entry)
            return

        with anyio.CancelScope(shield=True):
            await self.write(entry)

    def note(self, entry: Entry) -> None:
        """Write an entry with the next batch, without waiting for it."""
        self._batch.entries[entry.number] = entry

    def check(self) -> None:
        """Raise the first error, if there was one; a new one for each device.

        Raises:
            JournalError: If nothing can be written any more.
        """
        if (error := self.error) is not None:
            # Errors are annotated with the device's details.
            raise JournalError(error.message, reason=error.reason, hint=error.hint)

    async def _run(self) -> None:
        with self._scope:
            while True:
                if not self._pending.is_set():
                    with anyio.move_on_after(INTERVAL):
                        await self._pending.wait()

                await self._write()

    async def _write(self) -> None:
        batch, self._batch = self._batch, _Batch()
        self._pending = anyio.Event()
        try:
            if self.error is None:
                entries = list(batch.entries.values())
                # Shielded: a thread cannot be interrupted, and its entries count.
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(self._journal.write, entries, self._session())
        except JournalError as error:
            self.error = error
        finally:
            batch.done.set()

    async def _last_batch(self) -> None:
        while self._batch.entries and self.error is None:
            batch = self._batch
            self._pending.set()
            await batch.done.wait()
