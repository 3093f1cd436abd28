"""An MQTT session over an open connection: the input and output of a `Conversation`.

It runs on asyncio and trio, without a timer or task of its own: the task that waits for an answer
also sends, and the one that waits between two requests acknowledges and pings.
"""

from __future__ import annotations

import math
import ssl

import anyio

from aiodps.errors import ConnectionLostError, ProvisioningError
from aiodps.models import Phase
from aiodps.network.event_loop import ReadWatch, wait_for_either
from aiodps.network.tls_errors import translate
from aiodps.observe import event_loop_clock
from aiodps.protocol.messages import Request, Response
from aiodps.protocol.mqtt_packets import Connack, Suback
from aiodps.transports.conversation import Conversation
from aiodps.transports.websocket import ByteConnection

_RECORD = 16 * 1024
"""Bytes read at once: as much as one TLS record holds."""
_NOT_NOW = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a non-blocking TLS socket raises if it has to wait."""


class MqttSession:
    """A session that is opened once, for one device and one task at a time.

    When it ends, the waiting task gets an error of aiodps. `close` may be called at any time.
    """

    def __init__(
        self, connection: ByteConnection, conversation: Conversation, *, keep_alive: int
    ) -> None:
        """Become the owner of an open connection; `keep_alive` is in seconds, 0 for none."""
        self._fault: ProvisioningError | None = None
        self._connection = connection
        self._socket = connection.socket
        self._watch = ReadWatch(self._socket)
        self._keep_alive = keep_alive or math.inf
        self._clock = event_loop_clock()
        self._last_sent = self._clock()
        self._packets: list[bytes] = []
        # A view, which shows no token in a traceback with locals.
        self._sending = memoryview(b"")
        self._talk = conversation

    def is_alive(self) -> bool:
        """Return whether the connection is open, after reading all that has arrived."""
        while self._fault is None and self._read():
            pass

        return self._fault is None

    async def open(self) -> None:
        """Send CONNECT and wait for CONNACK."""
        self._talk.connect()
        await self._answer()

    async def subscribe(self) -> None:
        """Send SUBSCRIBE and wait for SUBACK."""
        self._talk.subscribe()
        await self._answer()
        self._talk.phase = Phase.WAIT

    async def exchange(self, request: Request) -> Response:
        """Publish a request and return its response, with or without a PUBACK."""
        try:
            self._talk.request(request)
            answer = await self._answer()
        finally:
            self._talk.phase = Phase.WAIT

        assert isinstance(answer, Response)  # noqa: S101 (nothing else answers a request)
        return answer

    async def wait_until(self, when: float) -> None:
        """Wait until a time of the event loop's clock; acknowledge and ping meanwhile."""
        if self._fault is None:
            self._flush()

        while self._fault is None and (due := self._ping_due) < when:
            await anyio.sleep_until(due)
            self.is_alive()
            self._check_keep_alive()

        await anyio.sleep_until(when)

    def close(self) -> None:
        """Send DISCONNECT if a session is open, and close the connection, without waiting."""
        if self._fault is None:
            self._talk.disconnect()
            self._flush()

        self._end(ConnectionLostError("the connection was closed by this side"))

    def _end(self, exc: OSError | ProvisioningError) -> None:
        """End the session; only the first reason is kept."""
        if self._fault is not None:
            return

        if isinstance(exc, ProvisioningError):
            self._fault = exc
        else:
            self._fault = translate(exc, phase=Phase.SESSION, host=self._connection.host)
            self._fault.__cause__ = exc

        self._fault.locate(phase=self._talk.phase)
        self._watch.stop()
        self._connection.close()

    async def _answer(self) -> Connack | Suback | Response:
        """Send what is pending, and read until the open question is answered."""
        while self._fault is None and not self._flush():
            self._watch.stop()
            await wait_for_either(self._socket)
            self._read()

        if self._socket.pending():
            self.is_alive()

        while self._fault is None:
            if self._talk.answer is not None:
                return self._talk.answer

            await self._wait_to_read()

        raise self._fault

    def _arrived(self) -> bool:
        """Read what has arrived; return whether the open question is answered."""
        while self._read() and self._socket.pending():
            pass

        return self._fault is not None or self._talk.answer is not None

    def _read(self) -> bool:
        """Read one record, if one has arrived; return whether there may be another."""
        try:
            self._talk.receive(self._socket.recv(_RECORD))
        except _NOT_NOW:
            return False
        except (OSError, ProvisioningError) as exc:
            self._end(exc)

        return self._fault is None

    def _flush(self) -> bool:
        """Send what can be sent without waiting; return whether nothing is left."""
        try:
            while self._sending or self._talk.outgoing:
                if not self._sending:
                    self._packets, self._talk.outgoing = self._talk.outgoing, []
                    self._sending = memoryview(b"".join(self._packets))

                self._sending = self._sending[self._socket.send(self._sending) :]
                if not self._sending:
                    self._last_sent = self._clock()
                    self._talk.sent(self._packets)
        except _NOT_NOW:
            return False
        except (OSError, ProvisioningError) as exc:
            # What the peer sent before it closed tells more than the broken pipe.
            self.is_alive()
            self._end(exc)

        return True

    @property
    def _ping_due(self) -> float:
        """When a ping must be sent, or the response to the last one is late."""
        return self._last_sent + self._keep_alive

    def _check_keep_alive(self) -> None:
        if self._fault is not None or self._clock() < self._ping_due:
            return

        if self._talk.unanswered_pings:
            self._end(ConnectionLostError("the session was closed: keep alive timeout"))
        else:
            self._talk.ping()
            self._flush()

    async def _wait_to_read(self) -> None:
        """Wait until the answer has arrived, this side closes the connection, or a ping is due."""
        opening = self._talk.phase is Phase.SESSION
        if opening or self._ping_due >= anyio.current_effective_deadline():
            # There is no ping before a session is open, or whoever waits gives up before.
            await self._watch.until_read(self._arrived)
            return

        with anyio.move_on_after(self._ping_due - self._clock()):
            await self._watch.until_read(self._arrived)

        self._check_keep_alive()
