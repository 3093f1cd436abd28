"""MQTT 3.1.1 packets, the nine that a DPS session has, read from bytes the strict way.

Only reading: writing is the library's business. What a server sends is read before the library
sees it, because the library bounds nothing and lets much pass that the standard forbids; what we
send is read to be shown. Numbers in brackets are sections of the OASIS standard "MQTT 3.1.1".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TypeAlias

from aiodps.errors import ProtocolError, ResponseTooLargeError
from aiodps.protocol.limits import MAX_PACKET, MAX_TOPIC_BYTES


@dataclass(frozen=True, slots=True)
class Connect:
    """A client opens a session [3.1]."""

    client_id: str
    user_name: str | None
    has_password: bool
    """The password itself is not kept."""
    keep_alive: int
    """Seconds."""
    clean_session: bool


@dataclass(frozen=True, slots=True)
class Connack:
    """The server takes or refuses a session [3.2]."""

    session_present: bool
    code: int
    """0 if the session is taken."""


@dataclass(frozen=True, slots=True)
class Publish:
    """A message, either way [3.3]."""

    topic: str
    payload: bytes = field(repr=False)
    qos: int
    retain: bool
    dup: bool
    packet_id: int
    """0 at QoS 0."""


@dataclass(frozen=True, slots=True)
class Puback:
    """A message of QoS 1 has arrived, either way [3.4]."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client asks for messages; ours always has one filter [3.8]."""

    packet_id: int
    topic_filter: str
    qos: int


@dataclass(frozen=True, slots=True)
class Suback:
    """The server's answer to a subscription of one filter [3.9]."""

    packet_id: int
    code: int
    """The QoS granted, or 0x80."""


@dataclass(frozen=True, slots=True)
class Pingreq:
    """The client asks whether anybody is there [3.12]."""


@dataclass(frozen=True, slots=True)
class Pingresp:
    """The server is there [3.13]."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The client says good-bye [3.14]."""


Packet: TypeAlias = (
    Connect | Connack | Publish | Puback | Subscribe | Suback | Pingreq | Pingresp | Disconnect
)

_CONNACK = 0x20
_PUBLISH = 0x30
_TYPE = 0xF0

_FROM_SERVER = {
    0x20: ("connack", 2),
    0x40: ("puback", 2),
    0x90: ("suback", 3),
    0xD0: ("pingresp", 0),
}
"""Each first byte a server may send, PUBLISH apart: what it is and how long its body is."""

_FROM_CLIENT = {0x10, 0x80, 0xA0, 0xC0, 0xE0}
"""Types that only a client sends (and DISCONNECT, which a server sends in MQTT 5)."""


class Inbound:
    """Cuts what a server sends into packets and refuses what no server may send.

    A fault is seen as soon as its first bytes are there, not when the packet is complete: a
    packet over the limit is never held, and a peer that does not speak MQTT is told at once.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        self._buffer += data

    @property
    def ready(self) -> bool:
        """Whether `pop` has something to say: a packet or a fault."""
        size = self._size()
        return size is not None and len(self._buffer) >= size

    @property
    def cut_short(self) -> bool:
        """Whether the bytes so far end in the middle of a packet."""
        return bool(self._buffer)

    def pop(self) -> bytes | None:
        """Return the next packet, or None if it is not complete yet.

        Raises:
            ProtocolError: "connack", "direction", "length", "packet", or the packet's name.
            ResponseTooLargeError: If the packet is over the limit.
        """
        size = self._size()
        if size is None or len(self._buffer) < size:
            return None

        packet = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._greeted = True
        return packet

    def _size(self) -> int | None:
        """Return the size of the next packet, header included; None if that is not known yet."""
        if not self._buffer:
            return None

        first = self._buffer[0]
        self._check_first(first)
        remaining = _remaining_length(self._buffer)
        if remaining is None:
            return None

        header, length = remaining
        if first & _TYPE == _PUBLISH:
            if header + length > MAX_PACKET:
                raise ResponseTooLargeError(
                    f"a packet of {header + length} bytes, {MAX_PACKET} is the most",
                    reason="packet",
                )
        elif length != _FROM_SERVER[first][1]:
            raise _broken(_FROM_SERVER[first][0], f"is {length} bytes long")

        return header + length

    def _check_first(self, first: int) -> None:
        """Judge a packet by its first byte: type and flags."""
        if self._greeted == (first & _TYPE == _CONNACK):
            raise ProtocolError(
                "the service greets a second time"
                if self._greeted
                else "the service does not begin with CONNACK",
                reason="connack",
                hint="check endpoint and port: 8883 is for mqtt, 443 for rest",
            )

        if first & _TYPE in _FROM_CLIENT:
            raise ProtocolError(
                f"the service sends a packet of type {first >> 4}, which only clients may",
                reason="direction",
            )

        if first & _TYPE != _PUBLISH and first not in _FROM_SERVER:
            raise ProtocolError(
                f"the service sends a packet that begins with 0x{first:02x}",
                reason="connack" if first & _TYPE == _CONNACK else "packet",
            )


def _remaining_length(packet: bytes | bytearray) -> tuple[int, int] | None:
    """Read the length of a packet: size of its header, size of its body [2.2.3]."""
    length = 0
    for index, byte in enumerate(packet[1:5]):
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 (the bit that says that another byte follows)
            return index + 2, length

    if len(packet) > 4:  # noqa: PLR2004 (one byte of type, four of length are the most)
        raise ProtocolError("the length of a packet has more than four bytes", reason="length")

    return None


def read_packet(packet: bytes) -> Packet:  # noqa: PLR0911 (one for each type)
    """Read one whole packet: of a server as `Inbound` gave it, or of our own library.

    Raises:
        ProtocolError: "publish", "topic", "suback", "connack".
        ResponseTooLargeError: If the topic is over the limit.
    """
    header = next(index for index in range(1, 5) if packet[index] < 0x80) + 1  # noqa: PLR2004 (as above)
    body = packet[header:]
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
        raise _broken("connack", "has flags that do not exist")

    return Connack(bool(flags), code)


def _read_subscribe(body: bytes) -> Subscribe:
    topic_filter, rest = _text(body[2:])
    return Subscribe(_number(body), topic_filter, rest[0])


def _read_publish(first: int, body: bytes) -> Publish:
    qos = first >> 1 & 0x03
    if qos > 1:
        raise _broken("publish", f"has QoS {qos}, 1 is the most that was granted")

    topic, rest = _read_topic(body)
    if qos == 0:
        return Publish(topic, rest, qos, bool(first & 1), bool(first & 8), 0)

    if len(rest) < 2 or not _number(rest):  # noqa: PLR2004 (the two bytes of a packet id)
        raise _broken("publish", "has no packet id")

    return Publish(topic, rest[2:], qos, bool(first & 1), bool(first & 8), _number(rest))


def _read_topic(body: bytes) -> tuple[str, bytes]:
    if len(body) < 2 or len(body) < 2 + _number(body):  # noqa: PLR2004 (two bytes of length)
        raise _broken("topic", "is longer than its packet")

    if not _number(body):
        raise _broken("publish", "has no topic")

    if _number(body) > MAX_TOPIC_BYTES:
        raise ResponseTooLargeError(
            f"a topic of {_number(body)} bytes, {MAX_TOPIC_BYTES} is the most", reason="topic"
        )

    try:
        topic, rest = _text(body)
    except UnicodeDecodeError as exc:
        raise _broken("topic", "is not UTF-8") from exc

    if "\0" in topic:
        raise _broken("topic", "has a NUL character")

    if "#" in topic or "+" in topic:
        raise _broken("publish", "has a wildcard in its topic")

    return topic, rest


def _text(data: bytes) -> tuple[str, bytes]:
    """Cut a text with its length in front off the data [1.5.3]."""
    end = 2 + _number(data)
    return data[2:end].decode(), data[end:]


def _number(data: bytes) -> int:
    """Read the two bytes of a number [1.5.2]."""
    return int.from_bytes(data[:2], "big")


def _broken(name: str, fault: str) -> ProtocolError:
    what = "the topic of a message" if name == "topic" else name.upper()
    return ProtocolError(f"{what} {fault}", reason=name)
