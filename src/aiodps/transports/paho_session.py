"""An MQTT session of aiomqtt, over a connection that is open already.

aiomqtt 2.5 connects in a pool of six threads, hangs until a time-out when the server closes early,
and leaks socket and task when it is cancelled. So it does not connect here: its paho client gets a
socket, the callbacks run in the event loop, and the reason for the end of the connection reaches
every waiting task. A test pins the private names that this depends on.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from dataclasses import dataclass
from typing import Any

import aiomqtt
import anyio
from paho.mqtt import client as paho

from aiodps.errors import ConnectionLostError, ProtocolError, ProvisioningError
from aiodps.models import Phase
from aiodps.observe import StepKind
from aiodps.protocol.limits import MAX_IGNORED_MESSAGES
from aiodps.protocol.messages import QueryStatus, Request, Response
from aiodps.protocol.mqtt import (
    RESPONSES,
    Unrelated,
    check_connack,
    check_suback,
    parse_response_topic,
    publication,
)
from aiodps.protocol.mqtt_packets import (
    PINGREQ,
    Connack,
    Pingresp,
    Puback,
    Suback,
    read_packet,
)
from aiodps.protocol.mqtt_text import packet_text
from aiodps.transports.base import Target
from aiodps.transports.paho_socket import PahoSocket
from aiodps.transports.websocket import ByteConnection

_NO_LOGGING = logging.Logger("aiodps.paho", level=logging.CRITICAL + 1)  # noqa: LOG001 (not in the tree)
"""For aiomqtt and paho, which would print errors that are reported as steps and exceptions."""

_KEEP_ALIVE_CHECK = 0.25
"""Fraction of the keep-alive interval between two checks: a ping is sent well before the service
may close the connection (after 1.5 intervals), and a missing response is noticed by then."""


@dataclass(frozen=True, slots=True)
class _Exchange:
    """The exchange in progress."""

    request_id: str
    response: asyncio.Future[Response]


class Session(aiomqtt.Client):
    """A clean MQTT 3.1.1 session with the service, for one device; it is opened only once.

    For one task at a time. When the session ends, waiting methods raise an error of aiodps.
    `close` may be called at any time, from anywhere in the event loop.
    """

    def __init__(
        self,
        connection: ByteConnection,
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
            logger=_NO_LOGGING,
            # A missing PUBACK must not block anything as long as responses arrive.
            max_inflight_messages=0,
        )
        self.phase: Phase = Phase.SESSION
        self.fault: ProvisioningError | None = None
        self._target = target
        self._keep_alive = keep_alive
        self._keep_alive_timer: asyncio.TimerHandle | None = None
        self._socket = PahoSocket(connection, on_received=self._received, on_sent=self._sent)
        # The only hook: paho calls this to get a connected socket.
        self._client._create_socket = lambda: self._socket  # type: ignore[method-assign]  # noqa: SLF001
        self._watches_writing = False
        self._exchange: _Exchange | None = None
        self._unacknowledged: set[int] = set()
        self._unanswered_pings = 0
        self._ignored = 0

    def is_alive(self) -> bool:
        """Return whether the connection is open, after reading what has arrived."""
        self._read()
        return self.fault is None

    async def open(self) -> None:
        """Send CONNECT and wait for CONNACK."""
        self._client_connect()
        await self._connected

    async def subscribe_to_responses(self) -> None:
        """Send SUBSCRIBE and wait for SUBACK."""
        self._check_alive()
        await self.subscribe(RESPONSES, qos=1, timeout=math.inf)
        self.phase = Phase.WAIT

    async def exchange(self, request: Request) -> Response:
        """Publish a request and return its response, with or without a PUBACK."""
        self._check_alive()
        self.phase = Phase.POLL if isinstance(request, QueryStatus) else Phase.REGISTER
        self._exchange = _Exchange(secrets.token_hex(16), self._loop.create_future())
        message = publication(
            request,
            registration_id=self._target.registration_id,
            request_id=self._exchange.request_id,
        )
        try:
            sent = self._client.publish(message.topic, message.payload, qos=1)
            self._unacknowledged.add(sent.mid)
            return await self._exchange.response
        finally:
            self._exchange = None
            self.phase = Phase.WAIT

    async def wait_until(self, when: float) -> None:
        """Wait until a time of the event loop's clock; a timer pings meanwhile."""
        await anyio.sleep_until(when)

    def close(self) -> None:
        """Send DISCONNECT if a session is open, and close the connection, without waiting."""
        open_session = self.fault is None and self._client.is_connected()
        self._fail_waiters(ConnectionLostError("the connection was closed by this side"))
        if open_session:
            self._client.disconnect()
            self._write()

        self._client._sock_close()  # noqa: SLF001 (disconnect() closes only after a good send)

    def _check_alive(self) -> None:
        if self.fault is not None:
            raise self.fault

    # Callbacks of the socket.

    def _received(self, packet: bytes) -> None:
        """Check a packet before paho gets it."""
        content = read_packet(packet)
        self._target.report(StepKind.RECEIVED, self.phase, text=lambda: packet_text(content))
        match content:
            case Connack():
                check_connack(content)
            case Suback(packet_id):
                if packet_id not in self._pending_subscribes:
                    raise ProtocolError("SUBACK without a subscription", reason="suback")

                check_suback(content)
            case Puback(packet_id):
                if packet_id not in self._unacknowledged:
                    self._ignore("PUBACK without a message")

                self._unacknowledged.discard(packet_id)
            case Pingresp():
                if not self._unanswered_pings:
                    self._ignore("PINGRESP without a ping")

                self._unanswered_pings = 0

    def _sent(self, packet: bytes) -> None:
        if packet == PINGREQ:
            self._unanswered_pings += 1

        self._target.report(
            StepKind.SENT, self.phase, text=lambda: packet_text(read_packet(packet))
        )

    def _ignore(self, what: str) -> None:
        self._ignored += 1
        self._target.report(StepKind.IGNORED, self.phase, text=what)
        if self._ignored > MAX_IGNORED_MESSAGES:
            raise ConnectionLostError(
                f"the connection was given up after {self._ignored} unrelated packets",
                hint="something publishes to this device's topics, or replays old responses",
            )

    # Callbacks of paho; these replace aiomqtt's own.

    def _on_message(
        self,
        client: paho.Client,  # noqa: ARG002 (paho's signature)
        userdata: Any,  # noqa: ARG002 (idem)
        message: paho.MQTTMessage,
    ) -> None:
        """Pass a response to the exchange in progress, and ignore everything else."""
        topic = Unrelated("retained") if message.retain else parse_response_topic(message.topic)
        if isinstance(topic, Unrelated):
            self._ignore(f"message on {message.topic!a}: {topic.reason}")
            return

        exchange = self._exchange
        if exchange is None or exchange.response.done() or exchange.request_id != topic.request_id:
            self._ignore(f"message on {message.topic!a}: no such request")
            return

        exchange.response.set_result(
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
        # Usually everything can be sent at once, which saves two system calls per packet.
        self._loop.call_soon(self._write)

    def _on_socket_unregister_write(self, *_: Any) -> None:
        if self._watches_writing:
            self._watches_writing = False
            self._loop.remove_writer(self._socket.fileno())

    def _on_disconnect(self, *args: Any) -> None:
        """Handle that paho has closed the connection itself: a ping got no response."""
        reason_code = args[3]
        self._fail_waiters(
            ConnectionLostError(f"the session was closed: {str(reason_code).lower()}")
        )

    # Callbacks of the event loop.

    def _read(self) -> None:
        try:
            while self._client.loop_read() == paho.MQTT_ERR_SUCCESS and self._socket.pending():
                pass
        except Exception as exc:  # noqa: BLE001 (no task may be left waiting)
            self._disconnect(_translate(exc))

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as exc:  # noqa: BLE001 (idem)
            # What the peer sent before it closed tells more than the broken pipe.
            self._read()
            self._disconnect(_translate(exc))

        if self._client.socket() is not None and self._client.want_write():
            self._watches_writing = True
            self._loop.add_writer(self._socket.fileno(), self._write)

    def _watch_keep_alive(self) -> None:
        """Let paho check the keep-alive; a timer costs less than aiomqtt's task."""
        if self._keep_alive:
            interval = self._keep_alive * _KEEP_ALIVE_CHECK
            self._keep_alive_timer = self._loop.call_later(interval, self._check_keep_alive)

    def _check_keep_alive(self) -> None:
        self._client.loop_misc()
        if self._client.socket() is not None:
            self._watch_keep_alive()

    def _disconnect(self, error: ProvisioningError) -> None:
        """Close the connection, and raise an error in all waiting tasks."""
        self._fail_waiters(error)
        self._client._sock_close()  # noqa: SLF001 (paho has no public method for this)

    def _fail_waiters(self, error: ProvisioningError) -> None:
        if self.fault is None:
            self.fault = error.locate(phase=self.phase)

        futures: list[asyncio.Future[Any]] = [self._connected, *self._pending_subscribes.values()]
        if self._exchange is not None:
            futures.append(self._exchange.response)

        for future in futures:
            if not future.done():
                future.set_exception(self.fault)
                # Waiting tasks get it; if there are none, asyncio must not warn.
                future.exception()


def _translate(exc: Exception) -> ProvisioningError:
    """Return an error of aiodps as it is, and one for anything that paho should not raise.

    Neither it nor what it came from keeps its traceback: a frame of paho holds a packet, and the
    packet may hold the device's token.
    """
    if isinstance(exc, ProvisioningError):
        error = exc
    else:
        error = ProtocolError("the MQTT library could not process a packet", reason="packet")
        error.__cause__ = exc

    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__

    return error
