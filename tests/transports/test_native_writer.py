"""What the writer of our own adds to the packets, which tests/protocol has: their numbers."""

from __future__ import annotations

from aiodps.transports.native_writer import NativeWriter


def test_packet_ids_begin_anew() -> None:
    """After 65535 comes 1: 0 is not an id."""
    writer = NativeWriter(client_id="dev1", user_name="u", password=None, keep_alive=60)
    first, _ = writer.subscribe("x")
    writer._last_packet_id = 0xFFFE

    assert [first, *(writer.publish("x", b"")[0] for _ in range(2))] == [1, 0xFFFF, 1]
