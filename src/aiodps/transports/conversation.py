"""The sans-IO part of an MQTT session: bytes go in, packets come out.

`Conversation` strictly parses what the service sends, and matches responses to requests. The
client's packets are written by a `PacketWriter`: aiomqtt's client, or functions of our own. Those
of two and four bytes (PINGREQ, PUBACK, DISCONNECT) are the same, whoever writes the others.
"""

from __future__ import annotations

import secrets
from typing import Protocol

from aiodps.errors import ConnectionLostError, ProtocolError
from aiodps.models import Phase
from aiodps.observe import Reporter, StepKind
from aiodps.protocol import mqtt
from aiodps.protocol.limits import MAX_IGNORED_MESSAGES
from aiodps.protocol.messages import QueryStatus, Request, Response
from aiodps.protocol.mqtt_packets import (
    DISCONNECT,
    PINGREQ,
    Connack,
    Inbound,
    Packet,
    Pingresp,
    Puback,
    Publish,
    Suback,
    puback_packet,
    read_packet,
)
from aiodps.protocol.mqtt_text import packet_text


class PacketWriter(Protocol):
    """Writes and numbers the packets that a client asks with, in one clean MQTT 3.1.1 session."""

    def __init__(
        self, *, client_id: str, user_name: str, password: str | None, keep_alive: int
    ) -> None:
        """Write nothing yet; `keep_alive` is in seconds, 0 for none."""

    def connect(self) -> bytes:
        """Return CONNECT."""

    def subscribe(self, topic_filter: str) -> tuple[int, bytes]:
        """Return the packet id and the bytes of SUBSCRIBE for QoS 1."""

    def publish(self, topic: str, payload: bytes) -> tuple[int, bytes]:
        """Return the packet id and the bytes of PUBLISH with QoS 1."""

    def acknowledged(self, packet_id: int) -> None:
        """Forget a message that the service has acknowledged."""


class Conversation:
    """A session with the service, with one open question at a time.

    A question is CONNECT, SUBSCRIBE, or a request.
    """

    def __init__(self, writer: PacketWriter, *, registration_id: str, report: Reporter) -> None:
        self.phase: Phase = Phase.SESSION
        """The phase of the registration, for steps."""
        self.outgoing: list[bytes] = []
        """Packets to send; the sender removes them."""
        self.answer: Connack | Suback | Response | None = None
        """The answer to the last question; None until it arrives."""
        self.connected: bool = False
        """Whether the service has accepted the connection."""
        self.unanswered_pings: int = 0
        """Pings without an answer so far."""
        self._writer = writer
        self._registration_id = registration_id
        self._report = report
        self._hears_wire = report.hears_wire
        self._inbound = Inbound()
        self._subscription: int | None = None
        self._request_id: str | None = None
        self._unacknowledged: set[int] = set()
        self._ignored = 0

    def connect(self) -> None:
        """Send CONNECT; the answer is CONNACK."""
        self._ask(self._writer.connect())

    def subscribe(self) -> None:
        """Subscribe to all responses; the answer is SUBACK."""
        self._subscription, packet = self._writer.subscribe(mqtt.RESPONSES)
        self._ask(packet)

    def request(self, request: Request) -> None:
        """Publish a request; the answer is its response, with or without a PUBACK."""
        self.phase = Phase.POLL if isinstance(request, QueryStatus) else Phase.REGISTER
        request_id = secrets.token_hex(16)
        message = mqtt.publication(
            request, registration_id=self._registration_id, request_id=request_id
        )
        packet_id, packet = self._writer.publish(message.topic, message.payload)
        self._request_id = request_id
        self._unacknowledged.add(packet_id)
        self._ask(packet)

    def _ask(self, packet: bytes) -> None:
        self.answer = None
        self.outgoing.append(packet)

    def ping(self) -> None:
        """Send PINGREQ."""
        self.unanswered_pings += 1
        self.outgoing.append(PINGREQ)

    def disconnect(self) -> None:
        """Send DISCONNECT, if the service has accepted the connection."""
        if self.connected:
            self.outgoing.append(DISCONNECT)

    def sent(self, packets: list[bytes]) -> None:
        """Report packets whose last byte has been sent."""
        for packet in packets if self._hears_wire else ():
            self._report(StepKind.SENT, self.phase, text=packet_text(read_packet(packet)))

    def receive(self, data: bytes) -> None:
        """Process received bytes; b"" is the end of the connection.

        Raises:
            ProvisioningError: If the session has ended.
        """
        for packet in self._inbound.packets(data):
            content = read_packet(packet)
            if self._hears_wire:
                self._report(StepKind.RECEIVED, self.phase, text=packet_text(content))

            self._take(content)

    def _take(self, packet: Packet) -> None:
        match packet:
            case Publish():
                self._take_message(packet)
                if packet.qos:
                    self.outgoing.append(puback_packet(packet.packet_id))
            case Puback(packet_id) if packet_id in self._unacknowledged:
                self._unacknowledged.remove(packet_id)
                self._writer.acknowledged(packet_id)
            case Puback():
                self._ignore("PUBACK without a message")
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
        """Accept the response to the open request, and ignore everything else."""
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
