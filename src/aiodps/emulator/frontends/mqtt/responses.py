"""Responses of an MQTT session as packets, with their faults."""

from __future__ import annotations

from aiodps.emulator.connections.deliver import damage, deliver
from aiodps.emulator.connections.delivery import Delivery, Reorder, WrongRid
from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.frontends.mqtt.codec import publish
from aiodps.emulator.frontends.mqtt.topics import response_topic
from aiodps.emulator.protocol.messages import Response, encode_json

FOREIGN_RID = "11111111-2222-4333-8444-555555555555"
"""`$rid` of a response that belongs to no request."""


class ResponseWriter:
    """Sends the responses of a session, and keeps what faults need of earlier ones."""

    def __init__(self) -> None:
        self.qos = 1
        """QoS of responses: the one granted last."""
        self._packet_id = 0
        self._last: tuple[Response, str] | None = None
        self._held = b""

    async def send(self, stream: Stream, response: Response, rid: str, *, ack: bytes) -> None:
        """Acknowledge a request and answer it.

        The PUBACK goes out in a TLS record of its own: paho 1.6 reads one record at a time, and
        a client that waits for the response would not see it behind the PUBACK (seen with
        clients built on it).

        Args:
            stream: Where to.
            response: The response, and how a fault delivers it.
            rid: Of the request.
            ack: The PUBACK; empty for a request at QoS 0.

        Raises:
            PeerLostError: If a fault ends the connection, or the peer did.
        """
        delivery = response.delivery
        if delivery is None:
            if ack:
                await stream.send(ack)

            await stream.send(self._write(response, rid) + self._take_held())
        elif delivery.reorder is Reorder.ACKNOWLEDGEMENT and delivery.sent:
            await deliver(stream, self._with_faults(response, rid, delivery) + ack, delivery)
        else:
            if ack and delivery.acknowledged:
                await stream.send(ack)

            message = self._with_faults(response, rid, delivery) if delivery.sent else b""
            await deliver(stream, message, delivery)

        self._last = (response, rid)

    def _with_faults(self, response: Response, rid: str, delivery: Delivery) -> bytes:
        """Write all packets that a fault sends for a response, in order."""
        packets = [self._publish(topic, b"{}") for topic in delivery.extra_topics]
        if delivery.stale and self._last is not None:
            packets.append(self._write(*self._last))

        if delivery.wrong_rid is not None:
            packets.append(self._write(response, FOREIGN_RID))

        held = self._take_held()
        if delivery.wrong_rid is not WrongRid.INSTEAD:
            answers = [self._write(response, rid) for _ in range(1 + delivery.duplicate)]
            if delivery.reorder is Reorder.RESPONSES:
                self._held = b"".join(answers)
            else:
                packets += answers

        return b"".join((*packets, held))

    def _take_held(self) -> bytes:
        """Return the responses that were held back, once."""
        held, self._held = self._held, b""
        return held

    def _write(self, response: Response, rid: str) -> bytes:
        topic = response_topic(response.status_code, rid, retry_after=response.wait)
        return self._publish(topic, damage(encode_json(response.body), response.delivery))

    def _publish(self, topic: str, payload: bytes) -> bytes:
        return publish(topic, payload, packet_id=self._next_packet_id())

    def _next_packet_id(self) -> int | None:
        if not self.qos:
            return None

        self._packet_id = self._packet_id % 0xFFFF + 1
        return self._packet_id
