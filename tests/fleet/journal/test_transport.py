"""Nothing leaves before it is written down."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.fleet.journal.test_journal import PLANNED

from aiodps.errors import ConnectionLostError, JournalError
from aiodps.fleet.journal.journal import Entry, State
from aiodps.fleet.journal.transport import DeviceState, JournalingTransport
from aiodps.protocol.messages import QueryStatus, Register, Request, Response

pytestmark = pytest.mark.anyio
OPERATION = "4.d0a671905ea5b2c8.42d78160-4c78-479e-8be7-61d5e55dac0d"
ACCEPTED = Response(
    status_code=202,
    body=json.dumps({"operationId": OPERATION, "status": "assigning"}).encode(),
    retry_after=3.0,
)


class Both:
    """Stands for writer and transport, and records the order of calls."""

    def __init__(self, answer: Response | Exception) -> None:
        self.answer = answer
        self.happened: list[Entry | Request | str] = []
        self.full = False
        self.durable = True

    async def write(self, entry: Entry) -> None:
        """Write, as a writer does."""
        if self.full:
            raise JournalError("full", reason="unwritable")

        self.happened.append(entry)

    async def connect(self) -> None:
        """Connect, as a transport does."""
        self.happened.append("connect")

    async def exchange(self, request: Request) -> Response:
        """Answer, as a transport does."""
        self.happened.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer

        return self.answer

    async def wait_until(self, when: float) -> None:
        """Wait, as a transport does."""
        self.happened.append(f"wait until {when}")

    def close(self) -> None:
        """Close, as a transport does."""
        self.happened.append("close")


def recording(both: Both, entry: Entry = PLANNED[0]) -> tuple[JournalingTransport, DeviceState]:
    """Put a recorder between."""
    record = DeviceState(entry)
    return JournalingTransport(both, both, record), record  # type: ignore[arg-type]  # stands for a writer


async def test_sent_is_written_before_the_register_leaves() -> None:
    """And the operation id before anything else happens."""
    both = Both(ACCEPTED)
    transport, record = recording(both)
    await transport.connect()
    response = await transport.exchange(Register(None))
    transport.close()

    sent = replace(PLANNED[0], state=State.SENT, sent=1)
    operation = replace(sent, state=State.OPERATION, operation_id=OPERATION)
    assert response is ACCEPTED
    assert both.happened == ["connect", sent, Register(None), operation, "close"]
    assert record.entry == operation
    assert record.journal_seconds > 0


async def test_a_journal_in_memory_takes_no_time() -> None:
    """Nobody waits for it, and it is no phase of the registration's."""
    both = Both(ACCEPTED)
    both.durable = False
    transport, record = recording(both)
    await transport.exchange(Register(None))

    assert record.entry.state is State.OPERATION
    assert record.journal_seconds == 0


@pytest.mark.parametrize("polled", [OPERATION, "another"])
async def test_a_poll_is_not_written(polled: str) -> None:
    """It is free, and tells nothing new: an answer about another operation is refused."""
    both = Both(ACCEPTED)
    known = replace(PLANNED[0], state=State.OPERATION, sent=1, operation_id=polled)
    transport, record = recording(both, known)
    await transport.exchange(QueryStatus(polled))

    assert both.happened == [QueryStatus(polled)]
    assert (record.entry, record.polls) == (known, 1)


async def test_nothing_is_sent_that_cannot_be_written() -> None:
    """The disk is full: no register leaves."""
    both = Both(ACCEPTED)
    both.full = True
    transport, _ = recording(both)
    with pytest.raises(JournalError):
        await transport.exchange(Register(None))

    assert both.happened == []


async def test_a_lost_answer_leaves_it_at_sent() -> None:
    """A second register is written down as the second."""
    both = Both(ConnectionLostError("gone"))
    transport, record = recording(both)
    for _ in range(2):
        with pytest.raises(ConnectionLostError):
            await transport.exchange(Register(None))

    assert record.entry == replace(PLANNED[0], state=State.SENT, sent=2)


@pytest.mark.parametrize(
    "response",
    [
        Response(status_code=429, body=b"{}", retry_after=7),
        Response(status_code=202, body=b"garbage"),
        Response(status_code=202, body=b'{"status": "assigning"}'),
    ],
    ids=["throttled", "garbage", "no id"],
)
async def test_other_answers_pass_through(response: Response) -> None:
    """Bad responses pass unchanged; a 429 is counted."""
    both = Both(response)
    transport, record = recording(both)

    assert await transport.exchange(Register(None)) is response
    assert record.entry.state is State.SENT
    assert record.throttled == (response.status_code == 429)
