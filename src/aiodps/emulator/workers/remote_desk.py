"""The desk of a worker: every question goes to the parent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

import anyio
from cryptography import x509

from aiodps.emulator.faults.effects import Point
from aiodps.emulator.journal import Exchange
from aiodps.emulator.wire import (
    Delivery,
    Identity,
    ManagementRequest,
    ManagementResponse,
    Request,
    Response,
)
from aiodps.emulator.workers.channel import Channel
from aiodps.emulator.workers.frames import (
    Answer,
    Ask,
    AskDevice,
    AskManagement,
    AskMeeting,
    AskRefusal,
    End,
    Enter,
    Leave,
    Met,
    Noted,
)

_Reply = TypeVar("_Reply")


class NoAnswerError(Exception):
    """The parent could not answer, because of a bug that it has logged."""


@dataclass(slots=True)
class _Question:
    answered: anyio.Event = field(default_factory=anyio.Event)
    answer: object = None


class RemoteDesk:
    """A `Desk` at the other end of a channel. Many questions may be open at once."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = count()
        self._questions: dict[int, _Question] = {}
        self._sessions: dict[int, Callable[[], None]] = {}

    async def answer(self, request: Request, *, identity: Identity, front: str) -> Response:
        """Ask the service on behalf of a device."""
        number = next(self._numbers)
        ask = AskDevice(number=number, request=request, identity=identity, front=front)
        return await self._ask(ask, Response)

    async def answer_management(self, request: ManagementRequest) -> ManagementResponse:
        """Ask the service API or the resource manager."""
        ask = AskManagement(number=next(self._numbers), request=request)
        return await self._ask(ask, ManagementResponse)

    async def meet(
        self,
        point: Point,
        *,
        registration_id: str,
        front: str,
        certificates: Sequence[x509.Certificate],
    ) -> Delivery | None:
        """Ask whether a fault strikes a CONNECT or a SUBSCRIBE, which the service never sees."""
        ask = AskMeeting(
            number=next(self._numbers),
            point=point,
            registration_id=registration_id,
            front=front,
            certificates=tuple(certificates),
        )
        return (await self._ask(ask, Met)).delivery

    async def refuse(
        self,
        status_code: int,
        reason: str,
        *,
        what: str,
        front: str,
        certificates: Sequence[x509.Certificate],
    ) -> Response:
        """Say no to what is not for the service."""
        ask = AskRefusal(
            number=next(self._numbers),
            status_code=status_code,
            reason=reason,
            what=what,
            front=front,
            certificates=tuple(certificates),
        )
        return await self._ask(ask, Response)

    @contextmanager
    def session(self, client: str, *, end: Callable[[], None]) -> Iterator[None]:
        """Let a client of MQTT in until the block is left, and put an older session of it out."""
        session = next(self._numbers)
        self._sessions[session] = end
        self._channel.post(Enter(session=session, client=client))
        try:
            yield
        finally:
            del self._sessions[session]
            self._channel.post(Leave(session=session))

    def note(self, exchange: Exchange) -> None:
        """Have a handshake taken down that came to nothing."""
        self._channel.post(Noted(exchange=exchange))

    async def listen(self) -> None:
        """Take what the parent says, until it has gone."""
        while frames := await self._channel.receive():
            for frame in frames:
                match frame:
                    case Answer(number=number, answer=answer):
                        self._answered(number, answer)
                    case End(session=session):
                        self._end(session)
                    case _:
                        raise TypeError(f"the parent says {type(frame).__name__}")

    async def _ask(self, ask: Ask, kind: type[_Reply]) -> _Reply:
        question = self._questions[ask.number] = _Question()
        try:
            self._channel.post(ask)
            await question.answered.wait()
        finally:
            del self._questions[ask.number]

        if not isinstance(question.answer, kind):
            raise NoAnswerError("the parent has no answer")

        return question.answer

    def _answered(self, number: int, answer: object) -> None:
        question = self._questions.get(number)
        if question is not None:  # else its connection has gone
            question.answer = answer
            question.answered.set()

    def _end(self, session: int) -> None:
        end = self._sessions.get(session)
        if end is not None:
            end()
