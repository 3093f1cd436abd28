"""A transport that writes register requests and operation ids to the journal.

It wraps the real transport, so that no registration can bypass it: if the journal is durable, so
is each register request before it is sent, and if it cannot be written, it is not sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiodps.errors import ProvisioningError
from aiodps.fleet.journal.journal import Entry, State
from aiodps.fleet.journal.writer import JournalWriter
from aiodps.fleet.measure.records import changed
from aiodps.protocol.messages import Register, Request, Response
from aiodps.protocol.payloads import parse_operation
from aiodps.transports.base import Target, Transport, TransportFactory


@dataclass(slots=True)
class DeviceState:
    """The journal entry of one registration, and the counts of its requests in this session."""

    entry: Entry
    polls: int = 0
    """Status queries."""
    throttled: int = 0
    """Responses with status 429."""
    journal_seconds: float = 0.0
    """Seconds spent waiting for the journal; 0 if it is not durable."""


@dataclass(frozen=True, slots=True)
class Journaling:
    """Factory of `JournalingTransport`; a `TransportFactory`."""

    inner: TransportFactory
    writer: JournalWriter = field(repr=False)
    state_of: Callable[[str], DeviceState] = field(repr=False)
    """Finds the state by registration id."""

    @property
    def name(self) -> str:
        """The real transport's name."""
        return self.inner.name

    def open(self, target: Target) -> JournalingTransport:
        """Return a transport that is not connected yet."""
        state = self.state_of(target.registration_id)
        return JournalingTransport(self.inner.open(target), self.writer, state)


class JournalingTransport:
    """A transport that journals requests before it delegates to the real transport."""

    def __init__(self, inner: Transport, writer: JournalWriter, state: DeviceState) -> None:
        self._exchange = inner.exchange
        self.connect: Callable[[], Coroutine[Any, Any, None]] = inner.connect
        self.wait_until: Callable[[float], Coroutine[Any, Any, None]] = inner.wait_until
        self.close: Callable[[], None] = inner.close
        self._writer = writer
        self._state = state

    async def exchange(self, request: Request) -> Response:
        """Journal a register request, send it, and journal the operation id of the response.

        Raises:
            JournalError: If the journal cannot be written; a register request was not sent then.
        """
        state, registers = self._state, isinstance(request, Register)
        if registers:
            await self._write(State.SENT, sent=state.entry.sent + 1, operation_id=None)
        else:
            state.polls += 1

        response = await self._exchange(request)
        state.throttled += response.status_code == HTTPStatus.TOO_MANY_REQUESTS
        # The registration refuses the response to a poll that is about another operation.
        operation_id = _operation_id(response) if registers else None
        if operation_id is not None:
            await self._write(State.OPERATION, operation_id=operation_id)

        return response

    async def _write(self, new: State, **changes: object) -> None:
        started = time.monotonic()
        state = self._state
        # Before the write: if that is cancelled, the entry may be on the disk nevertheless.
        state.entry = changed(state.entry, state=new, **changes)
        await self._writer.write(state.entry)
        if self._writer.durable:
            state.journal_seconds += time.monotonic() - started


def _operation_id(response: Response) -> str | None:
    """Return the operation id of a response, if any; the registration checks the rest of it."""
    if response.status_code // 100 != 2:  # noqa: PLR2004 (success)
        return None

    try:
        return parse_operation(response.body).operation_id
    except ProvisioningError:
        return None
