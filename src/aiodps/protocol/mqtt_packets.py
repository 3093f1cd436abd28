"""MQTT 3.1.1 packets: a strict parser of the nine types that a DPS session uses, and their writer.

What the server sends is parsed before a library sees it, because libraries have no size limits and
accept much that the standard forbids; what we send is parsed for display. The native session
builds its packets here, too. Numbers in brackets are sections of the OASIS standard "MQTT 3.1.1".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from aiodps.errors import ConnectionLostError, ProtocolError, ResponseTooLargeError
from aiodps.protocol.limits import MAX_PACKET, MAX_TOPIC_BYTES


@dataclass(frozen=True, slots=True)
class Connect:
    """The client requests a connection [3.1]."""

    client_id: str
    user_name: str | None
    has_password: bool
    """Whether there is a password; the password itself is not kept."""
    keep_alive: int
    """Seconds."""
    clean_session: bool


@dataclass(frozen=True, slots=True)
class Connack:
    """The server accepts or rejects the connection [3.2]."""

    session_present: bool
    code: int
    """0 if the connection is accepted."""


@dataclass(frozen=True, slots=True)
class Publish:
    """A message, in either direction [3.3]."""

    topic: str
    payload: bytes = field(repr=False)
    qos: int
    retain: bool
    dup: bool
    packet_id: int
    """0 at QoS 0."""


@dataclass(frozen=True, slots=True)
class Puback:
    """The acknowledgement of a message with QoS 1, in either direction [3.4]."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client subscribes; ours always has one topic filter [3.8]."""

    packet_id: int
    topic_filter: str
    qos: int


@dataclass(frozen=True, slots=True)
class Suback:
    """The acknowledgement of a subscription with one topic filter [3.9]."""

    packet_id: int
    code: int
    """The granted QoS, or 0x80 for failure."""


@dataclass(frozen=True, slots=True)
class Pingreq:
    """A ping of the client [3.12]."""


@dataclass(frozen=True, slots=True)
class Pingresp:
    """The server's response to a ping [3.13]."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The client ends the session [3.14]."""


Packet: TypeAlias = (
    Connect | Connack | Publish | Puback | Subscribe | Suback | Pingreq | Pingresp | Disconnect
)

PINGREQ = b"\xc0\x00"
"""The bytes of a `Pingreq`."""
DISCONNECT = b"\xe0\x00"
"""The bytes of a `Disconnect`."""

_CONNACK = 0x20
_TYPE = 0xF0

_FIRST: dict[int, int | None] = {0x20: 2}
"""First byte of a server's first packet, CONNACK, and the length of the body."""
_LATER = {0x40: 2, 0x90: 3, 0xD0: 0, **dict.fromkeys(range(0x30, 0x40))}
"""The same of what it may send later; None for PUBLISH, which has no fixed length."""
_NAMES = {0x20: "connack", 0x40: "puback", 0x90: "suback", 0xD0: "pingresp"}

_FROM_CLIENT = {0x10, 0x80, 0xA0, 0xC0, 0xE0}
"""Types that only a client may send (DISCONNECT comes from servers in MQTT 5 only)."""


class Inbound:
    """Splits the bytes from a server into packets, and rejects what a server may not send.

    A fault is detected from the first bytes of a packet, not when it is complete: a packet over
    the limit is never held in memory, and a peer that does not speak MQTT is detected at once.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._allowed = _FIRST

    def packets(self, data: bytes) -> Iterator[bytes]:
        """Add received bytes, b"" for the end, and return each packet that is now complete.

        Raises:
            ConnectionLostError: If it is the end.
            ProtocolError: "connack", "direction", "length", "packet", or the packet's name.
            ResponseTooLargeError: If a packet is over the limit.
        """
        if not data:
            where = " in the middle of a packet" if self._buffer else ""
            raise ConnectionLostError(f"the service closed the connection{where}")

        self._buffer += data
        while self._buffer and (size := self._size()) is not None and len(self._buffer) >= size:
            packet = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._allowed = _LATER
            yield packet

    def _size(self) -> int | None:
        """Return the size of the next packet with its header; None if it is not known yet."""
        first = self._buffer[0]
        if first not in self._allowed:
            raise _unexpected(first, connected=self._allowed is _LATER)

        remaining = _remaining_length(self._buffer)
        if remaining is None:
            return None

        header, length = remaining
        fixed = self._allowed[first]
        if fixed is not None and length != fixed:
            raise _broken(_NAMES[first], f"is {length} bytes long")

        if header + length > MAX_PACKET:
            raise ResponseTooLargeError(
                f"a packet has {header + length} bytes, the maximum is {MAX_PACKET}",
                reason="packet",
            )

        return header + length


def _unexpected(first: int, *, connected: bool) -> ProtocolError:
    """Return the error of a packet that a server may not send now, or never: type and flags."""
    if connected == (first & _TYPE == _CONNACK):
        return ProtocolError(
            "the service sent a second CONNACK"
            if connected
            else "the first packet of the service is not CONNACK",
            reason="connack",
            hint="check endpoint and port: 8883 is for mqtt, 443 for rest",
        )

    if first & _TYPE in _FROM_CLIENT:
        return ProtocolError(
            f"the service sent a packet of type {first >> 4}, which only clients may send",
            reason="direction",
        )

    return ProtocolError(
        f"the service sent a packet with the invalid first byte 0x{first:02x}",
        reason="packet" if connected else "connack",
    )


def _remaining_length(packet: bytes | bytearray) -> tuple[int, int] | None:
    """Return the sizes of a packet's header and body; None if not complete yet [2.2.3]."""
    length = 0
    for index, byte in enumerate(packet[1:5]):
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 (the continuation bit)
            return index + 2, length

    if len(packet) > 4:  # noqa: PLR2004 (one byte of type, at most four of length)
        raise ProtocolError("the length of a packet has more than four bytes", reason="length")

    return None


def read_packet(packet: bytes) -> Packet:  # noqa: PLR0911 (one for each type)
    """Parse a complete packet: one of the server, from `Inbound`, or one of our library.

    Raises:
        ProtocolError: "publish", "topic", "suback", "connack".
        ResponseTooLargeError: If the topic is over the limit.
    """
    end = 1
    while packet[end] > 0x7F:  # noqa: PLR2004 (the continuation bit)
        end += 1

    body = packet[end + 1 :]
    match packet[0] >> 4:
        case 1:
            return _read_connect(body)
        case 2:
            return _read_connack(body)
        case 3:
            return _read_publish(packet[0], body)
        case 4:
            return Puback(_number(body))
        case 8:
            return _read_subscribe(body)
        case 9:
            return Suback(_number(body), body[2])
        case 12:
            return Pingreq()
        case 13:
            return Pingresp()
        case _:
            return Disconnect()


def _read_connect(body: bytes) -> Connect:
    flags, keep_alive = struct.unpack_from("!BH", body, 7)
    client_id, rest = _text(body[10:])
    user, _ = _text(rest) if flags & 0x80 else (None, rest)
    return Connect(client_id, user, bool(flags & 0x40), keep_alive, bool(flags & 0x02))


def _read_connack(body: bytes) -> Connack:
    flags, code = body
    if flags & 0xFE:
        raise _broken("connack", "has reserved flags set")

    return Connack(bool(flags), code)


def _read_subscribe(body: bytes) -> Subscribe:
    topic_filter, rest = _text(body[2:])
    return Subscribe(_number(body), topic_filter, rest[0])


def _read_publish(first: int, body: bytes) -> Publish:
    qos = first >> 1 & 0x03
    if qos > 1:
        raise _broken("publish", f"has QoS {qos}, although at most 1 was granted")

    topic, rest = _read_topic(body)
    if qos == 0:
        return Publish(topic, rest, qos, bool(first & 1), bool(first & 8), 0)

    packet_id = _number(rest)
    if len(rest) < 2 or not packet_id:  # noqa: PLR2004 (its two bytes)
        raise _broken("publish", "has no packet id")

    return Publish(topic, rest[2:], qos, bool(first & 1), bool(first & 8), packet_id)


def _read_topic(body: bytes) -> tuple[str, bytes]:
    size = _number(body)
    encoded, rest = body[2 : 2 + size], body[2 + size :]
    if len(body) < 2 + size:
        raise _broken("topic", "is longer than its packet")

    if not size:
        raise _broken("publish", "has no topic")

    if size > MAX_TOPIC_BYTES:
        raise ResponseTooLargeError(
            f"a topic has {size} bytes, the maximum is {MAX_TOPIC_BYTES}", reason="topic"
        )

    try:
        topic = encoded.decode()
    except UnicodeDecodeError as exc:
        raise _broken("topic", "is not UTF-8") from exc

    if "\0" in topic:
        raise _broken("topic", "has a NUL character")

    if "#" in topic or "+" in topic:
        raise _broken("publish", "has a wildcard in its topic")

    return topic, rest


def _text(data: bytes) -> tuple[str, bytes]:
    """Split a length-prefixed string off the data [1.5.3]."""
    end = 2 + _number(data)
    return data[2:end].decode(), data[end:]


def _number(data: bytes) -> int:
    """Return a two-byte integer [1.5.2]."""
    return int.from_bytes(data[:2], "big")


def _broken(name: str, fault: str) -> ProtocolError:
    subject = "the topic of a message" if name == "topic" else name.upper()
    return ProtocolError(f"{subject} {fault}", reason=name)


def connect_packet(
    *, client_id: str, user_name: str, password: str | None, keep_alive: int
) -> bytes:
    """Write a `Connect` for a clean session, without a will."""
    flags = b"\x82" if password is None else b"\xc2"
    head = b"\0\4MQTT\4" + flags + keep_alive.to_bytes(2, "big")
    credentials = (user_name,) if password is None else (user_name, password)
    return _packet(0x10, head, *map(_prefixed, (client_id, *credentials)))


def subscribe_packet(packet_id: int, topic_filter: str) -> bytes:
    """Write a `Subscribe` for QoS 1."""
    return _packet(0x82, packet_id.to_bytes(2, "big"), _prefixed(topic_filter), b"\1")


def publish_packet(packet_id: int, topic: str, payload: bytes) -> bytes:
    """Write a `Publish` with QoS 1."""
    return _packet(0x32, _prefixed(topic), packet_id.to_bytes(2, "big"), payload)


def puback_packet(packet_id: int) -> bytes:
    """Write a `Puback`."""
    return b"\x40\2" + packet_id.to_bytes(2, "big")


def _packet(first: int, *parts: bytes) -> bytes:
    length = sum(map(len, parts))
    header = bytearray((first,))
    while length > 0x7F:  # noqa: PLR2004 (the continuation bit follows)
        header.append(length & 0x7F | 0x80)
        length >>= 7

    header.append(length)
    return b"".join((header, *parts))


def _prefixed(text: str) -> bytes:
    """Write a string with its length in front [1.5.3]."""
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
