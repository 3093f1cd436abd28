"""One MQTT session of aiomqtt, on a connection that stands already.

aiomqtt 2.5 connects in a pool of six threads, hangs until a time-out when the server closes early,
and leaves socket and task behind when it is cancelled. So it is not asked to connect: its paho
client is given a socket, its callbacks run on the loop they were called on, and whatever ends the
connection reaches, with its reason, everybody who waits. The names this leans on that are not
public are pinned by a test.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from dataclasses import dataclass
from typing import Any

import aiomqtt
from paho.mqtt import client as paho

from aiodps.errors import ConnectionLostError, ProtocolError, ProvisioningError
from aiodps.models import Phase
from aiodps.network.dial import Connection
from aiodps.observe import StepKind
from aiodps.protocol.limits import MAX_IGNORED_MESSAGES
from aiodps.protocol.messages import QueryStatus, Request, Response
from aiodps.protocol.mqtt import (
    RESPONSES,
    NotForUs,
    check_connack,
    check_suback,
    parse_response_topic,
    publication,
)
from aiodps.protocol.mqtt_packets import (
    Connack,
    Pingreq,
    Pingresp,
    Puback,
    Suback,
    read_packet,
)
from aiodps.protocol.mqtt_text import packet_text
from aiodps.transports.base import Target
from aiodps.transports.paho_socket import PahoSocket

_SILENT = logging.Logger("aiodps.paho", level=logging.CRITICAL + 1)  # noqa: LOG001 (in no tree)
"""For aiomqtt and paho, which would print errors: what happens is told by steps and errors."""

_KEEP_ALIVE_CHECK = 0.25
"""Part of the keep-alive time between two looks at the clock: a ping that is due goes out well
before the service may hang up (at 1.5 times), and one without an answer is noticed by then."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The one exchange under way."""

    request_id: str
    answer: asyncio.Future[Response]


class Session(aiomqtt.Client):
    """An MQTT 3.1.1 session with the service, for one device; clean, and never opened again.

    Used by one task at a time. Whoever waits in it is told by an error of ours when the session
    ends; `close` may be called at any time, from anywhere on the loop.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        target: Target,
        user_name: str,
        password: str | None,
        keep_alive: int,
    ) -> None:
        super().__init__(
            target.endpoint,
            identifier=target.registration_id,
            username=user_name,
            password=password,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=True,
            keepalive=keep_alive,
            logger=_SILENT,
            # A PUBACK that never comes holds nothing up as long as answers come.
            max_inflight_messages=0,
        )
        self.phase: Phase = Phase.SESSION
        self.fault: ProvisioningError | None = None
        self._target = target
        self._keep_alive = keep_alive
        self._keep_alive_timer: asyncio.TimerHandle | None = None
        self._socket = PahoSocket(connection, on_received=self._received, on_sent=self._sent)
        # The one way in: paho asks this for the socket to connect with.
        self._client._create_socket = lambda: self._socket  # type: ignore[method-assign]  # noqa: SLF001
        self._watches_writing = False
        self._waiting: _Waiting | None = None
        self._unacknowledged: set[int] = set()
        self._unanswered_pings = 0
        self._ignored = 0

    def is_alive(self) -> bool:
        """Return whether the connection stands: read what has come in, perhaps a good-bye."""
        self._read()
        return self.fault is None

    async def open(self) -> None:
        """Send CONNECT and wait for CONNACK."""
        self._client_connect()
        self._write()
        await self._connected

    async def subscribe_to_answers(self) -> None:
        """Send SUBSCRIBE and wait for SUBACK."""
        self._check_alive()
        await self.subscribe(RESPONSES, qos=1, timeout=math.inf)

    async def exchange(self, request: Request) -> Response:
        """Publish a request and wait for the answer to it; PUBACK may come or not."""
        self._check_alive()
        self.phase = Phase.POLL if isinstance(request, QueryStatus) else Phase.REGISTER
        self._waiting = _Waiting(secrets.token_hex(16), self._loop.create_future())
        message = publication(
            request,
            registration_id=self._target.registration_id,
            request_id=self._waiting.request_id,
        )
        try:
            sent = self._client.publish(message.topic, message.payload, qos=1)
            self._unacknowledged.add(sent.mid)
            self._write()
            return await self._waiting.answer
        finally:
            self._waiting = None
            self.phase = Phase.WAIT

    def close(self) -> None:
        """Say good-bye if there is a session, and close the connection; waits for nothing."""
        polite = self.fault is None and self._client.is_connected()
        self._fail_waiters(ConnectionLostError("the connection was closed from this side"))
        if polite:
            self._client.disconnect()
            self._write()

        self._client._sock_close()  # noqa: SLF001 (disconnect() closes only after a good send)

    def _check_alive(self) -> None:
        if self.fault is not None:
            raise self.fault

    # What the socket tells.

    def _received(self, packet: bytes) -> None:
        """Judge a packet before paho sees it."""
        content = read_packet(packet)
        self._target.report(StepKind.RECEIVED, self.phase, text=lambda: packet_text(content))
        match content:
            case Connack():
                check_connack(content)
            case Suback(packet_id):
                if packet_id not in self._pending_subscribes:
                    raise ProtocolError("SUBACK for no subscription of ours", reason="suback")

                check_suback(content)
            case Puback(packet_id):
                if packet_id not in self._unacknowledged:
                    self._ignore("PUBACK for no message of ours")

                self._unacknowledged.discard(packet_id)
            case Pingresp():
                if not self._unanswered_pings:
                    self._ignore("PINGRESP that was not asked for")

                self._unanswered_pings = 0

    def _sent(self, packet: bytes) -> None:
        content = read_packet(packet)
        if isinstance(content, Pingreq):
            self._unanswered_pings += 1

        self._target.report(StepKind.SENT, self.phase, text=lambda: packet_text(content))

    def _ignore(self, what: str) -> None:
        self._ignored += 1
        self._target.report(StepKind.IGNORED, self.phase, text=what)
        if self._ignored > MAX_IGNORED_MESSAGES:
            raise ConnectionLostError(
                f"given up after {self._ignored} packets that were not for us",
                hint="something sends to this device's topics, or replays old answers",
            )

    # What paho calls, through aiomqtt; these replace aiomqtt's own.

    def _on_message(
        self,
        client: paho.Client,  # noqa: ARG002 (paho's signature)
        userdata: Any,  # noqa: ARG002 (idem)
        message: paho.MQTTMessage,
    ) -> None:
        """Give an answer to whom it is for, and leave everything else."""
        topic = NotForUs("retained") if message.retain else parse_response_topic(message.topic)
        if isinstance(topic, NotForUs):
            self._ignore(f"message on {message.topic!a}: {topic.why}")
            return

        waiting = self._waiting
        if waiting is None or waiting.answer.done() or waiting.request_id != topic.request_id:
            self._ignore(f"message on {message.topic!a}: answers nothing that was asked")
            return

        waiting.answer.set_result(
            Response(
                status_code=topic.status_code,
                body=bytes(message.payload),
                retry_after=topic.retry_after,
            )
        )

    def _on_socket_open(self, *_: Any) -> None:
        self._loop.add_reader(self._socket.fileno(), self._read)
        self._watch_keep_alive()

    def _on_socket_close(self, *_: Any) -> None:
        self._loop.remove_reader(self._socket.fileno())
        if self._keep_alive_timer is not None:
            self._keep_alive_timer.cancel()

    def _on_socket_register_write(self, *_: Any) -> None:
        # Mostly all of it can be sent at once: two system calls less for every packet.
        self._loop.call_soon(self._write)

    def _on_socket_unregister_write(self, *_: Any) -> None:
        if self._watches_writing:
            self._watches_writing = False
            self._loop.remove_writer(self._socket.fileno())

    def _on_disconnect(self, *args: Any) -> None:
        """Learn that paho has closed the connection itself: a ping was not answered."""
        reason_code = args[3]
        self._fail_waiters(
            ConnectionLostError(f"the session was given up: {str(reason_code).lower()}")
        )

    # What the event loop calls.

    def _read(self) -> None:
        try:
            while self._client.loop_read() == paho.MQTT_ERR_SUCCESS and self._socket.pending():
                pass
        except Exception as exc:  # noqa: BLE001 (whatever it is, nobody may go on waiting)
            self._lose(_ours(exc))

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as exc:  # noqa: BLE001 (idem)
            # What the peer said before it closed tells more than the broken pipe does.
            self._read()
            self._lose(_ours(exc))

        if self._client.socket() is not None and self._client.want_write():
            self._watches_writing = True
            self._loop.add_writer(self._socket.fileno(), self._write)

    def _watch_keep_alive(self) -> None:
        """See to it that paho looks at the clock; a timer is lighter than aiomqtt's task."""
        if self._keep_alive:
            pause = self._keep_alive * _KEEP_ALIVE_CHECK
            self._keep_alive_timer = self._loop.call_later(pause, self._check_keep_alive)

    def _check_keep_alive(self) -> None:
        self._client.loop_misc()
        if self._client.socket() is not None:
            self._watch_keep_alive()

    def _lose(self, error: ProvisioningError) -> None:
        """Close the connection and tell everybody who waits why."""
        self._fail_waiters(error)
        self._client._sock_close()  # noqa: SLF001 (paho has no public way to hang up)

    def _fail_waiters(self, error: ProvisioningError) -> None:
        if self.fault is None:
            self.fault = error.locate(phase=self.phase)

        waiting: list[asyncio.Future[Any]] = [self._connected, *self._pending_subscribes.values()]
        if self._waiting is not None:
            waiting.append(self._waiting.answer)

        for future in waiting:
            if not future.done():
                future.set_exception(self.fault)
                # Whoever waits gets it; if nobody does, asyncio shall not complain.
                future.exception()


def _ours(exc: Exception) -> ProvisioningError:
    """Keep an error of ours; make one of anything that paho should not have raised."""
    if isinstance(exc, ProvisioningError):
        return exc

    error = ProtocolError("the MQTT library could not take a packet", reason="packet")
    error.__cause__ = exc
    return error
