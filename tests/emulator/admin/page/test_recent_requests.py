"""What devices did lately, and how open pages hear of it."""

from __future__ import annotations

import anyio
import pytest

from aiodps.emulator.admin.page import recent_requests as module
from aiodps.emulator.admin.page.recent_requests import Feed, RecentRequests
from aiodps.emulator.protocol.messages import Operation
from aiodps.emulator.request_log.log import Exchange, RequestLog

pytestmark = pytest.mark.anyio


def asked(registration_id: str | None, status_code: int = 202) -> Exchange:
    """Have a device ask; None is no device."""
    operation = None if registration_id is None else Operation.REGISTER
    return Exchange(
        transport="https",
        what="register",
        status_code=status_code,
        took=0.0,
        operation=operation,
        registration_id=registration_id,
    )


def test_the_device_that_asked_last_comes_first() -> None:
    """In any casing it is the same device."""
    recent = RecentRequests()
    for name in ("a", "b", "A"):
        recent.record(asked(name))

    assert list(recent.devices()) == ["a", "b"]
    assert [step.number for step in recent.steps("a")] == [3, 1]
    assert recent.last_number == 3


def test_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device that was silent longest is forgotten."""
    monkeypatch.setattr(module, "DEVICES_KEPT", 3)
    recent = RecentRequests()
    for name in ("a", "b", "c", "a", "d"):
        recent.record(asked(name))

    for _ in range(1000):
        recent.record(asked("d"))

    assert list(recent.devices()) == ["d", "a", "c"]
    assert len(recent.steps("d")) == module.STEPS_KEPT
    assert len(recent.requests) == module.REQUESTS_KEPT


def test_what_the_journal_forgets_is_forgotten() -> None:
    """A reset leaves nothing to look at, for as long as it listens."""
    request_log, recent = RequestLog(), RecentRequests()
    with request_log.listen(recent.record, on_clear=recent.clear):
        request_log.record(asked("a"))
        request_log.clear()
        assert (list(recent.devices()), list(recent.requests)) == ([], [])

        request_log.record(asked("b"))

    request_log.clear()
    assert list(recent.devices()) == ["b"]


async def test_open_pages_hear_of_it() -> None:
    """Each device once, however often it asked; afterwards nobody is told."""
    recent = RecentRequests()
    with recent.feed() as feed:
        for name in ("a", None, "b", "a"):
            recent.record(asked(name))

        assert await feed.next() == ["", "b", "a"]

    recent.record(asked("c"))
    with anyio.move_on_after(module.UPDATE_INTERVAL * 2):
        await feed.next()
        raise AssertionError("told after the end")


async def test_a_load_test_does_not_drown_a_page() -> None:
    """Only the last ones are told."""
    feed = Feed()
    for number in range(1000):
        feed.notify(f"device-{number}")

    names = await feed.next()
    assert len(names) == module.MAX_UPDATES
    assert names[-1] == "device-999"
