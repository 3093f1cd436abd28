"""The native MQTT session: what is said, on our own strict reader, and a thin loop around it.

`Conversation` is sans-IO: it takes bytes and gives packets, knows no socket and no clock, and
nothing in it waits. `NativeSession` moves the bytes, on asyncio and trio: only while somebody
waits for an answer, so it has no callback, no timer and no task of its own.
"""

from __future__ import annotations

import math
import secrets
import ssl
from functools import partial

import anyio

from aiodps.errors import ConnectionLostError, ProtocolError, ProvisioningError
from aiodps.models import Phase
from aiodps.network.event_loop import ReadWatch, wait_for_either
from aiodps.network.tls_errors import translate
from aiodps.observe import Reporter, StepKind, event_loop_clock
from aiodps.protocol import mqtt, mqtt_packets
from aiodps.protocol.limits import MAX_IGNORED_MESSAGES
from aiodps.protocol.messages import QueryStatus, Request, Response
from aiodps.protocol.mqtt_packets import Connack, Packet, Pingresp, Puback, Publish, Suback
from aiodps.protocol.mqtt_text import packet_text
from aiodps.transports.base import Target
from aiodps.transports.websocket import ByteConnection

_RECORD = 16 * 1024
"""Bytes read at once: as much as one TLS record holds."""
_NOT_NOW = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a non-blocking TLS socket raises if it has to wait."""


class Conversation:
    """A clean MQTT 3.1.1 session with the service, without input and output.

    One question at a time is open: the connection, the subscription, or a request.
    """

    def __init__(self, report: Reporter) -> None:
        self.phase: Phase = Phase.SESSION
        """The phase of the registration, for steps."""
        self.outgoing: list[bytes] = []
        """Packets that are to be sent; whoever sends them takes them out."""
        self.answer: Connack | Suback | Response | None = None
        """The answer to the last question; None as long as it has not arrived."""
        self.connected: bool = False
        """Whether the service has accepted the connection."""
        self.unanswered_pings: int = 0
        """Pings without an answer so far."""
        self._report = report
        self._inbound = mqtt_packets.Inbound()
        self._last_packet_id = 0
        self._subscription: int | None = None
        self._request_id: str | None = None
        self._unacknowledged: set[int] = set()
        self._ignored = 0

    def subscribe(self) -> None:
        """Subscribe to all responses."""
        self._subscription = self._next_packet_id()
        self.ask(mqtt_packets.subscribe_packet(self._subscription, mqtt.RESPONSES))

    def request(self, request: Request, *, registration_id: str) -> None:
        """Publish a request; the answer is its response, with or without a PUBACK."""
        request_id = secrets.token_hex(16)
        message = mqtt.publication(request, registration_id=registration_id, request_id=request_id)
        packet_id = self._next_packet_id()
        self._request_id = request_id
        self._unacknowledged.add(packet_id)
        self.ask(mqtt_packets.publish_packet(packet_id, message.topic, message.payload))

    def ask(self, packet: bytes) -> None:
        """Send a packet that is answered."""
        self.answer = None
        self.outgoing.append(packet)

    def ping(self) -> None:
        """Ask for a sign of life."""
        self.unanswered_pings += 1
        self.outgoing.append(mqtt_packets.PINGREQ)

    def _next_packet_id(self) -> int:
        self._last_packet_id = self._last_packet_id % 0xFFFF + 1
        return self._last_packet_id

    def sent(self, packets: list[bytes]) -> None:
        """Report packets whose last byte has been sent."""
        for packet in packets if self._report.observer is not None else ():
            text = partial(packet_text, mqtt_packets.read_packet(packet))
            self._report(StepKind.SENT, self.phase, text=text)

    def receive(self, data: bytes) -> None:
        """Take what has arrived; b"" is the end.

        Raises:
            ProvisioningError: If the session has ended.
        """
        if not data:
            where = " in the middle of a packet" if self._inbound.cut_short else ""
            raise ConnectionLostError(f"the service closed the connection{where}")

        self._inbound.feed(data)
        while (packet := self._inbound.pop()) is not None:
            self._take(mqtt_packets.read_packet(packet))

    def _take(self, packet: Packet) -> None:
        if self._report.observer is not None:
            self._report(StepKind.RECEIVED, self.phase, text=lambda: packet_text(packet))

        match packet:
            case Publish():
                self._take_message(packet)
            case Puback(packet_id):
                if packet_id not in self._unacknowledged:
                    self._ignore("PUBACK without a message")

                self._unacknowledged.discard(packet_id)
            case Connack():
                mqtt.check_connack(packet)
                self.connected = True
                self.answer = packet
            case Suback(packet_id):
                if packet_id != self._subscription:
                    raise ProtocolError("SUBACK without a subscription", reason="suback")

                mqtt.check_suback(packet)
                self._subscription = None
                self.answer = packet
            case Pingresp():
                if not self.unanswered_pings:
                    self._ignore("PINGRESP without a ping")

                self.unanswered_pings = 0

    def _take_message(self, message: Publish) -> None:
        """Take the response to the open request; acknowledge and ignore everything else."""
        if message.qos:
            self.outgoing.append(mqtt_packets.puback_packet(message.packet_id))

        match None if message.retain else mqtt.parse_response_topic(message.topic):
            case None:
                reason = "retained"
            case mqtt.Unrelated(reason):
                pass
            case mqtt.ResponseTopic(request_id, code, wait) if request_id == self._request_id:
                self._request_id = None
                self.answer = Response(status_code=code, body=message.payload, retry_after=wait)
                return
            case mqtt.ResponseTopic():
                reason = "no such request"

        self._ignore(f"message on {message.topic!a}: {reason}")

    def _ignore(self, what: str) -> None:
        self._ignored += 1
        self._report(StepKind.IGNORED, self.phase, text=what)
        if self._ignored > MAX_IGNORED_MESSAGES:
            raise ConnectionLostError(
                f"the connection was given up after {self._ignored} unrelated packets",
                hint="something publishes to this device's topics, or replays old responses",
            )


class NativeSession:
    """A conversation over an open connection, for one device and one task at a time.

    When the session ends, whoever waits gets an error of aiodps. `close` may be called any time.
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
        self.fault: ProvisioningError | None = None
        self._connection = connection
        self._socket = connection.socket
        self._watch = ReadWatch(self._socket, self._arrived)
        self._registration_id = target.registration_id
        self._keep_alive = keep_alive or math.inf
        self._clock = event_loop_clock()
        self._last_sent = self._clock()
        self._packets: list[bytes] = []
        # A view, which shows no token in a traceback with locals.
        self._sending = memoryview(b"")
        self._talk = Conversation(target.report)
        self._talk.ask(
            mqtt_packets.connect_packet(
                client_id=target.registration_id,
                user_name=user_name,
                password=password,
                keep_alive=keep_alive,
            )
        )

    def is_alive(self) -> bool:
        """Return whether the connection is open, after reading what has arrived."""
        while self.fault is None and self._read():
            pass

        return self.fault is None

    async def open(self) -> None:
        """Send CONNECT and wait for CONNACK."""
        await self._answer()

    async def subscribe_to_responses(self) -> None:
        """Send SUBSCRIBE and wait for SUBACK."""
        self._talk.subscribe()
        await self._answer()
        self._talk.phase = Phase.WAIT

    async def exchange(self, request: Request) -> Response:
        """Publish a request and return its response, with or without a PUBACK."""
        self._talk.phase = Phase.POLL if isinstance(request, QueryStatus) else Phase.REGISTER
        try:
            self._talk.request(request, registration_id=self._registration_id)
            answer = await self._answer()
        finally:
            self._talk.phase = Phase.WAIT

        assert isinstance(answer, Response)  # noqa: S101 (nothing else answers a request)
        return answer

    async def wait_until(self, when: float) -> None:
        """Wait until a time of the event loop's clock; acknowledge, and ping, meanwhile."""
        if self.fault is None:
            self._flush()

        while self.fault is None and (due := self._ping_due) < when:
            await anyio.sleep_until(due)
            self.is_alive()
            self._check_keep_alive()

        await anyio.sleep_until(when)

    def close(self) -> None:
        """Send DISCONNECT if a session is open, and close the connection, without waiting."""
        if self.fault is None and self._talk.connected:
            self._talk.outgoing.append(mqtt_packets.DISCONNECT)
            self._flush()

        self._end(ConnectionLostError("the connection was closed by this side"))

    def _end(self, exc: OSError | ProvisioningError) -> None:
        """End the session; the first reason is the one that counts."""
        if self.fault is not None:
            return

        if isinstance(exc, ProvisioningError):
            self.fault = exc
        else:
            self.fault = translate(exc, phase=Phase.SESSION, host=self._connection.host)
            self.fault.__cause__ = exc

        self.fault.locate(phase=self._talk.phase)
        self._watch.stop()
        self._connection.close()

    async def _answer(self) -> Connack | Suback | Response:
        """Send what is to be sent, and read until the open question is answered."""
        while self.fault is None and not self._flush():
            await wait_for_either(self._socket)
            self._read()

        if self._socket.pending():
            self.is_alive()

        while self.fault is None:
            if self._talk.answer is not None:
                return self._talk.answer

            await self._wait_to_read()

        raise self.fault

    def _arrived(self) -> bool:
        """Take in what has arrived; return whether the open question is answered."""
        while self._read() and self._socket.pending():
            pass

        return self.fault is not None or self._talk.answer is not None

    def _read(self) -> bool:
        """Take in one record, if one has arrived; return whether there may be another."""
        try:
            self._talk.receive(self._socket.recv(_RECORD))
        except _NOT_NOW:
            return False
        except (OSError, ProvisioningError) as exc:
            self._end(exc)

        return self.fault is None

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
        """When the service should hear of this side again, or its answer to a ping is late."""
        return self._last_sent + self._keep_alive

    def _check_keep_alive(self) -> None:
        if self.fault is not None or self._clock() < self._ping_due:
            return

        if self._talk.unanswered_pings:
            self._end(ConnectionLostError("the session was closed: keep alive timeout"))
        else:
            self._talk.ping()
            self._flush()

    async def _wait_to_read(self) -> None:
        """Wait until the answer has arrived, this side closes the connection, or a ping is due."""
        if self._ping_due >= anyio.current_effective_deadline():
            # Whoever waits gives up before.
            await self._watch.until_read()
            return

        with anyio.move_on_after(self._ping_due - self._clock()):
            await self._watch.until_read()

        self._check_keep_alive()
