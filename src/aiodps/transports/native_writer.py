"""The packets of the native MQTT session, which runs on every event loop."""

from __future__ import annotations

from aiodps.protocol import mqtt_packets
from aiodps.protocol.mqtt_packets import Packet, Publish


class NativeWriter:
    """A `PacketWriter` that needs no library."""

    def __init__(
        self, *, client_id: str, user_name: str, password: str | None, keep_alive: int
    ) -> None:
        self._connect = mqtt_packets.connect_packet(
            client_id=client_id, user_name=user_name, password=password, keep_alive=keep_alive
        )
        self._last_packet_id = 0

    def connect(self) -> bytes:
        """Return CONNECT."""
        return self._connect

    def subscribe(self, topic_filter: str) -> tuple[int, bytes]:
        """Return SUBSCRIBE."""
        packet_id = self._next_packet_id()
        return packet_id, mqtt_packets.subscribe_packet(packet_id, topic_filter)

    def publish(self, topic: str, payload: bytes) -> tuple[int, bytes]:
        """Return PUBLISH."""
        packet_id = self._next_packet_id()
        return packet_id, mqtt_packets.publish_packet(packet_id, topic, payload)

    def received(self, _packet: bytes, content: Packet) -> bytes:
        """Return PUBACK for a message that asks for it."""
        match content:
            case Publish(qos=1, packet_id=packet_id):
                return mqtt_packets.puback_packet(packet_id)
            case _:
                return b""

    def _next_packet_id(self) -> int:
        self._last_packet_id = self._last_packet_id % 0xFFFF + 1
        return self._last_packet_id
