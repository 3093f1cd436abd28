"""MQTT packets written by hand, right or wrong, for tests."""

from __future__ import annotations

CONNACK = bytes.fromhex("20020000")
PINGRESP = bytes.fromhex("d000")


def text(value: bytes | str) -> bytes:
    """Write a text with its length in front."""
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def packet(first: int, body: bytes) -> bytes:
    """Write a packet of any type with any body."""
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length.append(digit | (0x80 if rest else 0))
        if not rest:
            return bytes([first]) + bytes(length) + body


def suback(packet_id: bytes, code: int = 1) -> bytes:
    """Write a SUBACK of one code."""
    return packet(0x90, packet_id + bytes([code]))


def puback(packet_id: bytes) -> bytes:
    """Write a PUBACK."""
    return packet(0x40, packet_id)


def publish(topic: str, body: bytes = b"{}", *, qos: int = 1, flags: int = 0) -> bytes:
    """Write a PUBLISH; `flags` are those beside QoS: 8 for DUP, 1 for RETAIN."""
    number = b"\x12\x34" if qos else b""
    return packet(0x30 | qos << 1 | flags, text(topic) + number + body)
