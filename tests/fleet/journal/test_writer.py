"""Writing for many devices at once."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence

import anyio
import pytest
from anyio import to_thread
from tests.fleet.journal.test_journal import PLANNED

from aiodps.errors import JournalError
from aiodps.fleet.journal.journal import Entry
from aiodps.fleet.journal.writer import JournalWriter

pytestmark = pytest.mark.anyio


class Paper:
    """Stands for a journal: writes wait for the test, or fail."""

    def __init__(self) -> None:
        self.pages: list[list[Entry]] = []
        self.error: JournalError | None = None
        self.slow = threading.Semaphore(1000)
        self.writing = threading.Event()

    def write(self, entries: Sequence[Entry]) -> None:
        """Write a page, as a journal does."""
        self.writing.set()
        self.slow.acquire()
        if self.error is not None:
            raise self.error

        self.pages.append(list(entries))

    async def busy(self) -> None:
        """Wait until a write is under way."""
        await to_thread.run_sync(self.writing.wait)


async def test_an_entry_is_written_when_put_returns() -> None:
    """No sooner, however slow the disk is."""
    paper = Paper()
    async with JournalWriter.running(paper) as writer:  # type: ignore[arg-type]  # stands for it
        for entry in PLANNED[:3]:
            await writer.write(entry)
            assert paper.pages[-1] == [entry]


async def test_those_who_wait_share_a_page() -> None:
    """While one write is under way, the others gather: two trips for twenty devices."""
    paper = Paper()
    paper.slow = threading.Semaphore(0)
    async with (
        JournalWriter.running(paper) as writer,  # type: ignore[arg-type]  # stands for it
        anyio.create_task_group() as devices,
    ):
        devices.start_soon(writer.write, PLANNED[0])
        await paper.busy()
        for entry in PLANNED[1:]:
            devices.start_soon(writer.write, entry)

        await anyio.wait_all_tasks_blocked()
        paper.slow.release(2)

    pages = [sorted(page, key=lambda entry: entry.number) for page in paper.pages]
    assert pages == [PLANNED[:1], PLANNED[1:]]


async def test_after_a_failure_nothing_is_written_any_more() -> None:
    """Everybody who waits is told, and everybody who comes; each gets an error of its own."""
    paper = Paper()
    paper.error = JournalError("full", reason="unwritable")
    errors = []
    async with JournalWriter.running(paper) as writer:  # type: ignore[arg-type]  # stands for it
        for entry in PLANNED[:2]:
            with pytest.raises(JournalError) as caught:
                await writer.write(entry)

            errors.append(caught.value)
            paper.error = None

        assert writer.error is not None

    assert errors[0] is not errors[1]
    assert [error.reason for error in errors] == ["unwritable", "unwritable"]
    assert paper.pages == []


async def test_what_a_cancelled_device_put_is_written() -> None:
    """The block does not end before that."""
    paper = Paper()
    paper.slow = threading.Semaphore(0)
    async with JournalWriter.running(paper) as writer:  # type: ignore[arg-type]  # stands for it
        async with anyio.create_task_group() as devices:
            devices.start_soon(writer.write, PLANNED[0])
            await paper.busy()
            devices.start_soon(writer.write, dataclasses.replace(PLANNED[1], sent=1))
            await anyio.wait_all_tasks_blocked()
            devices.cancel_scope.cancel()

        paper.slow.release(2)

    assert [[entry.number for entry in page] for page in paper.pages] == [[0], [1]]


async def test_cancelled_from_outside_it_goes_on_to_the_end_of_its_block() -> None:
    """Devices that are cancelled with it can still write down how far they came."""
    paper = Paper()
    with anyio.CancelScope() as scope:
        async with JournalWriter.running(paper) as writer:  # type: ignore[arg-type]  # stands for it
            scope.cancel()
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await writer.write(PLANNED[0])

    assert paper.pages == [PLANNED[:1]]
