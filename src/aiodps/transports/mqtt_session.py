"""An MQTT session over an open connection: the input and output of a `Conversation`.

It runs on asyncio and trio, without a task of its own: the task that waits for an answer also
sends, and the one that waits between two requests acknowledges and pings.
"""

from __future__ import annotations

import math

from aiodps.errors import ConnectionLostError, ProvisioningError, TransportTimeoutError
from aiodps.models import Phase
from aiodps.network.dial import NOT_NOW, RECORD
from aiodps.network.event_loop import ReadWatch, sleep_until
from aiodps.network.tls_errors import translate
from aiodps.observe import event_loop_clock
from aiodps.protocol.messages import Request, Response
from aiodps.protocol.mqtt_packets import Connack, Suback
from aiodps.transports.conversation import Conversation
from aiodps.transports.websocket import ByteConnection

OPEN_TIMEOUT = 10.0
"""Seconds from CONNECT to CONNACK, and from SUBSCRIBE to SUBACK."""

_NOTHING = memoryview(b"")


class MqttSession:
    """A session that is opened once, for one device and one task at a time.

    When it ends, the waiting task gets an error of aiodps. `close` may be called at any time.
    """

    def __init__(
        self, connection: ByteConnection, conversation: Conversation, *, keep_alive: int
    ) -> None:
        """Become the owner of an open connection; `keep_alive` is in seconds, 0 for none."""
        self._is_open = True
        self._fault: ProvisioningError | None = None
        self._connection = connection
        self._socket = connection.socket
        self._watch = ReadWatch(self._socket)
        self._keep_alive = keep_alive or math.inf
        self._clock = event_loop_clock()
        self._last_sent = self._clock()
        self._packets: list[bytes] = []
        # A view, which shows no token in a traceback with locals.
        self._sending = _NOTHING
        self._talk = conversation

    def is_alive(self) -> bool:
        """Return whether the connection is open, after reading all that has arrived."""
        while self._is_open and self._read():
            pass

        return self._is_open

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
        if self._is_open:
            self._flush()

        while self._is_open and (due := self._due) < when:
            await sleep_until(due)
            self.is_alive()
            self._check_time()

        await sleep_until(when)

    def close(self) -> None:
        """Send DISCONNECT if a session is open, and close the connection, without waiting."""
        if self._is_open:
            self._talk.disconnect()
            self._flush()

        self._close()

    def _close(self) -> None:
        self._is_open = False
        self._watch.stop()
        self._connection.close()

    def _end(self, exc: OSError | ProvisioningError) -> None:
        """End the session with an error; only the first one is kept."""
        if not self._is_open:
            return

        if isinstance(exc, ProvisioningError):
            self._fault = exc
        else:
            self._fault = translate(exc, phase=Phase.SESSION, host=self._connection.host)
            self._fault.__cause__ = exc

        self._fault.locate(phase=self._talk.phase)
        self._close()

    async def _answer(self) -> Connack | Suback | Response:
        """Send what is pending, and read until the open question is answered."""
        while self._is_open and not self._flush():
            await self._watch.until_writable(self._due)
            self.is_alive()
            self._check_time()

        if self._socket.pending():
            self.is_alive()

        while self._is_open:
            if self._talk.answer is not None:
                answer, self._talk.answer = self._talk.answer, None
                return answer

            await self._watch.until_read(self._arrived, until=self._due)
            if self._talk.answer is None:
                self._check_time()

        if self._fault is None:
            raise ConnectionLostError("the connection was closed by this side").locate(
                phase=self._talk.phase
            )

        raise self._fault

    def _arrived(self) -> bool:
        """Read until nothing more has arrived, or the open question is answered: return which."""
        while self._read():
            if self._talk.answer is not None:
                return True

        return not self._is_open

    def _read(self) -> bool:
        """Read one record, if one has arrived; return whether there may be another."""
        try:
            self._talk.receive(self._socket.recv(RECORD))
        except NOT_NOW:
            return False
        except (OSError, ProvisioningError) as exc:
            self._end(exc)

        return self._is_open

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
                    self._packets, self._sending = [], _NOTHING
        except NOT_NOW:
            return False
        except (OSError, ProvisioningError) as exc:
            # What the peer sent before it closed tells more than the broken pipe.
            self.is_alive()
            self._end(exc)

        return True

    @property
    def _due(self) -> float:
        """When CONNACK or SUBACK is late; then, when a ping is to be sent, or not answered."""
        return self._last_sent + (OPEN_TIMEOUT if self._opening else self._keep_alive)

    @property
    def _opening(self) -> bool:
        return self._talk.phase is Phase.SESSION

    def _check_time(self) -> None:
        """End a session that is late; send a ping if one is due."""
        if not self._is_open or self._clock() < self._due:
            return

        if self._opening:
            answer = "SUBACK" if self._talk.connected else "CONNACK"
            self._end(TransportTimeoutError(f"no {answer} arrived within {OPEN_TIMEOUT:g} s"))
        elif self._talk.unanswered_pings:
            self._end(ConnectionLostError("the session was closed: keep alive timeout"))
        else:
            self._talk.ping()
            self._flush()
