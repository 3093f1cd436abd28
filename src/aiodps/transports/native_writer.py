"""The packets of the native MQTT session, which runs on every event loop."""

from __future__ import annotations

from aiodps.protocol import mqtt_packets


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

    def acknowledged(self, packet_id: int) -> None:
        """Do nothing: no message is kept."""

    def _next_packet_id(self) -> int:
        self._last_packet_id = self._last_packet_id % 0xFFFF + 1
        return self._last_packet_id
