"""Writing for many devices at once."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from anyio import to_thread
from tests.fleet.journal.test_journal import PLANNED
from tests.virtual_time import elapse, virtual_time

from aiodps.errors import JournalError
from aiodps.fleet.journal.journal import Entry
from aiodps.fleet.journal.sessions import SessionFacts
from aiodps.fleet.journal.writer import INTERVAL, JournalWriter

pytestmark = pytest.mark.anyio


class Paper:
    """Stands for a journal: writes wait for the test, or fail."""

    def __init__(self) -> None:
        self.pages: list[list[Entry]] = []
        self.sessions: list[SessionFacts | None] = []
        self.error: JournalError | None = None
        self.slow = threading.Semaphore(1000)
        self.writing = threading.Event()

    def write(self, entries: Sequence[Entry], session: SessionFacts | None = None) -> None:
        """Write a page, as a journal does."""
        self.sessions.append(session)
        if not entries:
            return

        self.writing.set()
        self.slow.acquire()
        if self.error is not None:
            raise self.error

        self.pages.append(list(entries))

    async def busy(self) -> None:
        """Wait until a write is under way."""
        await to_thread.run_sync(self.writing.wait)


def running(
    paper: Paper, *, durable: bool = True
) -> contextlib.AbstractAsyncContextManager[JournalWriter]:
    """Write on paper, with the time in the facts of the session."""
    return JournalWriter.running(
        paper,  # type: ignore[arg-type]  # stands for it
        session=lambda: SessionFacts(started=0.0, seconds=anyio.current_time()),
        durable=durable,
    )


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write without a thread, during which virtual time would jump."""

    async def called(write: Callable[..., Any], *words: Any) -> Any:
        return write(*words)

    monkeypatch.setattr(to_thread, "run_sync", called)


@virtual_time
@pytest.mark.usefixtures("at_once")
async def test_in_memory_nobody_waits() -> None:
    """A device goes on at once; what it wrote is there after an interval, its last state only."""
    paper = Paper()
    later = dataclasses.replace(PLANNED[0], sent=1)
    async with running(paper, durable=False) as writer:
        before = anyio.current_time()
        await writer.write(PLANNED[0])
        await writer.write(later)
        await writer.write(PLANNED[1])
        assert anyio.current_time() == before
        assert paper.pages == []
        await elapse(INTERVAL)
        await anyio.wait_all_tasks_blocked()
        assert paper.pages == [[later, PLANNED[1]]]
        await writer.write(PLANNED[2])

    assert paper.pages[1:] == [[PLANNED[2]]]


@virtual_time
@pytest.mark.usefixtures("at_once")
async def test_in_memory_a_full_disk_is_told_in_the_end() -> None:
    """Whether or not anybody has written after that."""
    paper = Paper()
    paper.error = JournalError("full", reason="unwritable")
    with pytest.raises(JournalError):
        async with running(paper, durable=False) as writer:
            await writer.write(PLANNED[0])

    async with running(paper, durable=False) as writer:
        await writer.write(PLANNED[0])
        await elapse(INTERVAL)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(JournalError):
            await writer.write(PLANNED[1])

        writer.error = None


@virtual_time
@pytest.mark.usefixtures("at_once")
async def test_the_journal_knows_how_long_a_session_ran() -> None:
    """To the interval, also while nothing happens: a kill leaves no end behind."""
    paper = Paper()
    async with running(paper):
        start = anyio.current_time()
        await elapse(20 * INTERVAL)
        await anyio.wait_all_tasks_blocked()
        assert paper.sessions[-1] is not None
        assert paper.sessions[-1].seconds >= start + 19 * INTERVAL


@virtual_time
@pytest.mark.usefixtures("at_once")
async def test_a_note_goes_with_the_next_batch() -> None:
    """Nobody waits for it, and it costs no transaction of its own."""
    paper = Paper()
    async with running(paper) as writer:
        writer.note(PLANNED[0])
        await writer.write(PLANNED[1])

    assert paper.pages == [PLANNED[:2]]


async def test_an_entry_is_written_when_put_returns() -> None:
    """No sooner, however slow the disk is."""
    paper = Paper()
    async with running(paper) as writer:
        for entry in PLANNED[:3]:
            await writer.write(entry)
            assert paper.pages[-1] == [entry]


async def test_those_who_wait_share_a_page() -> None:
    """While one write is under way, the others gather: two trips for twenty devices."""
    paper = Paper()
    paper.slow = threading.Semaphore(0)
    async with (
        running(paper) as writer,
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
    errors: list[JournalError] = []

    async def write_twice() -> None:
        async with running(paper) as writer:
            for entry in PLANNED[:2]:
                with pytest.raises(JournalError) as caught:
                    await writer.write(entry)

                errors.append(caught.value)
                paper.error = None

    with pytest.raises(JournalError):
        await write_twice()

    assert errors[0] is not errors[1]
    assert [error.reason for error in errors] == ["unwritable", "unwritable"]
    assert paper.pages == []


async def test_what_a_cancelled_device_put_is_written() -> None:
    """The block does not end before that."""
    paper = Paper()
    paper.slow = threading.Semaphore(0)
    async with running(paper) as writer:
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
        async with running(paper) as writer:
            scope.cancel()
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await writer.write(PLANNED[0])

    assert paper.pages == [PLANNED[:1]]
