"""The parent's side of one worker: takes its questions to the desk of this process.

One after the other, without a task for each: the desk of this process decides at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import assert_never

from aiodps.emulator.desk import Desk
from aiodps.emulator.journal import Note
from aiodps.emulator.wire import ManagementResponse, Response
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
    Frame,
    Leave,
    Met,
    Noted,
    Ready,
)

log = logging.getLogger(__name__)


class Clerk:
    """Serves one worker until it has gone.

    Args:
        channel: To the worker.
        desk: Where its questions are answered.
        note: Takes down the handshakes that came to nothing.
        greet: Called when the worker listens.
    """

    def __init__(
        self,
        channel: Channel,
        desk: Desk,
        note: Note,
        *,
        greet: Callable[[], None],
    ) -> None:
        self.greeted = False
        """Whether the worker ever listened."""
        self._greet = greet
        self._channel = channel
        self._desk = desk
        self._note = note
        self._sessions: dict[int, AbstractContextManager[None]] = {}

    async def serve(self) -> None:
        """Take what the worker says; what it leaves behind is cleared away."""
        try:
            while frames := await self._channel.receive():
                for frame in frames:
                    await self._take(frame)
        finally:
            for session in self._sessions.values():
                session.__exit__(None, None, None)

    async def _take(self, frame: Frame) -> None:
        match frame:
            case AskDevice() | AskManagement() | AskMeeting() | AskRefusal():
                await self._answer(frame)
            case Enter(session=number, client=client):
                end = partial(self._channel.post, End(session=number))
                session = self._sessions[number] = self._desk.session(client, end=end)
                session.__enter__()
            case Leave(session=number):
                self._sessions.pop(number).__exit__(None, None, None)
            case Noted(exchange=exchange):
                self._note(exchange)
            case Ready():
                self.greeted = True
                self._greet()
            case _:
                raise TypeError(f"a worker says {type(frame).__name__}")

    async def _answer(self, ask: Ask) -> None:
        try:
            answer = await self._ask(ask)
            self._channel.post(Answer(number=ask.number, answer=answer))
        except Exception:
            # A bug of ours must not take the other devices' connections with it.
            log.exception("a question of a worker has no answer")
            self._channel.post(Answer(number=ask.number, answer=None))

    async def _ask(self, ask: Ask) -> Response | ManagementResponse | Met:
        match ask:
            case AskDevice():
                return await self._desk.answer(ask.request, identity=ask.identity, front=ask.front)
            case AskManagement():
                return await self._desk.answer_management(ask.request)
            case AskMeeting():
                delivery = await self._desk.meet(
                    ask.point,
                    registration_id=ask.registration_id,
                    front=ask.front,
                    certificates=ask.certificates,
                )
                return Met(delivery)
            case AskRefusal():
                return await self._desk.refuse(
                    ask.status_code,
                    ask.reason,
                    what=ask.what,
                    front=ask.front,
                    certificates=ask.certificates,
                )
            case _:
                assert_never(ask)
