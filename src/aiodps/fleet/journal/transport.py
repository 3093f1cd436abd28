"""A transport that writes down what it does: each register before it leaves, each operation id.

It stands between a registration and the real transport, so nothing has to know of it, and nothing
can go past it: if the journal cannot be written, the register is not sent.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from aiodps.errors import ProvisioningError
from aiodps.fleet.journal.journal import Entry, State
from aiodps.fleet.journal.writer import JournalWriter
from aiodps.protocol.messages import Register, Request, Response
from aiodps.protocol.payloads import parse_operation
from aiodps.transports.base import Target, Transport, TransportFactory


@dataclass(slots=True)
class DeviceState:
    """One registration's entry in the journal, and what its requests came to in this session."""

    entry: Entry
    polls: int = 0
    """Status queries."""
    throttled: int = 0
    """Responses with status 429."""
    writing: float = 0.0
    """Seconds spent on writing the journal."""
    asked: float | None = None
    """Seconds that the last response asked to wait; None if it did not say."""


@dataclass(frozen=True, slots=True)
class Journaling:
    """Settings of a transport whose requests are written down; a `TransportFactory`."""

    inner: TransportFactory
    writer: JournalWriter = field(repr=False)
    state_of: Callable[[str], DeviceState] = field(repr=False)
    """Finds the record by registration id."""

    @property
    def name(self) -> str:
        """The real transport's name."""
        return self.inner.name

    def open(self, target: Target) -> JournalingTransport:
        """Return a transport that is not connected yet."""
        record = self.state_of(target.registration_id)
        return JournalingTransport(self.inner.open(target), self.writer, record)


class JournalingTransport:
    """Does what the real transport does, and keeps the contract of `transports.base`."""

    def __init__(self, inner: Transport, writer: JournalWriter, record: DeviceState) -> None:
        self._inner = inner
        self._writer = writer
        self._record = record

    async def connect(self) -> None:
        """Connect; there is nothing to write down."""
        await self._inner.connect()

    async def exchange(self, request: Request) -> Response:
        """Write a register down, send, and write down the operation id that comes back.

        Raises:
            JournalError: If it cannot be written down. If it was to be a register, none was sent.
        """
        record = self._record
        record.asked = None
        if isinstance(request, Register):
            await self._write(State.SENT, sent=record.entry.sent + 1, operation_id=None)
        else:
            record.polls += 1

        response = await self._inner.exchange(request)
        record.asked = response.retry_after
        record.throttled += response.status_code == HTTPStatus.TOO_MANY_REQUESTS
        operation_id = _operation_id(response)
        if operation_id is not None and operation_id != record.entry.operation_id:
            await self._write(State.OPERATION, operation_id=operation_id)

        return response

    async def aclose(self) -> None:
        """Close the real transport."""
        await self._inner.aclose()

    async def _write(self, state: State, **changes: object) -> None:
        began = time.monotonic()
        record = self._record
        # At once: if this is cancelled, the entry may be on the disk already, and must stay.
        record.entry = dataclasses.replace(record.entry, state=state, **changes)  # type: ignore[arg-type]  # names of fields
        await self._writer.write(record.entry)
        record.writing += time.monotonic() - began


def _operation_id(response: Response) -> str | None:
    """Find the operation id in a response; whether the response is good is checked elsewhere."""
    if response.status_code // 100 != 2:  # noqa: PLR2004 (success)
        return None

    try:
        return parse_operation(response.body).operation_id
    except ProvisioningError:
        return None
