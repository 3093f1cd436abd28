"""MQTT 3.1.1 codec of a server: from bytes to packets and back, without sockets.

Only what DPS supports: no QoS 2, and wills are ignored. For any bytes, a `Decoder` returns packets
or raises one `ProtocolViolation`. Numbers in comments are requirements of the OASIS standard "MQTT
Version 3.1.1".
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_PACKET: Final = 128 * 1024
"""Bytes after the fixed header. The service itself refuses more than 96 KB."""
PINGRESP: Final = b"\xd0\x00"
FAILURE: Final = 0x80
"""Return code of a SUBACK for a filter that is not granted."""
PROTOCOL_LEVEL: Final = 4
"""MQTT 3.1.1."""


class ProtocolViolation(Exception):  # noqa: N818 (it is the peer's, not ours)
    """A protocol violation by the client; the server closes the connection (4.8.0-1)."""


class ConnectCode(enum.IntEnum):
    """Return codes of a CONNACK (3.2.2.3)."""

    ACCEPTED = 0
    WRONG_PROTOCOL_LEVEL = 1
    CLIENT_ID_REJECTED = 2
    BAD_USER_NAME = 4
    NOT_AUTHORIZED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """A CONNECT packet."""

    client_id: str
    keep_alive: int
    """Seconds; 0 for no limit."""
    clean_session: bool
    user_name: str | None = None
    password: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OtherProtocol:
    """A CONNECT of another version of MQTT, of which nothing else is read."""

    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """A PUBLISH packet."""

    topic: str
    payload: bytes = field(repr=False)
    packet_id: int | None = None
    """None at QoS 0."""
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class PubAck:
    """A PUBACK packet."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A SUBSCRIBE packet."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]
    """Topic filters, each with the requested QoS."""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """An UNSUBSCRIBE packet."""

    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PingReq:
    """A PINGREQ packet."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A DISCONNECT packet."""


Packet: TypeAlias = (
    Connect | OtherProtocol | Publish | PubAck | Subscribe | Unsubscribe | PingReq | Disconnect
)


class Decoder:
    """Decodes a stream of bytes into packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    def next_packet(self) -> Packet | None:
        """Return the next complete packet, or None if more bytes are needed.

        Raises:
            ProtocolViolation: If the bytes are not MQTT; the decoder cannot be used any more.
        """
        buffer = self._buffer
        if not buffer:
            return None

        first = buffer[0]
        if first not in _READERS:
            raise ProtocolViolation(f"a packet that begins with byte 0x{first:02x}")

        length, begin = _remaining_length(buffer)
        if length is None or len(buffer) < begin + length:
            return None

        body = _Body(first & 0x0F, bytes(buffer[begin : begin + length]))
        del buffer[: begin + length]
        packet = _READERS[first](body)
        if body.left:
            raise ProtocolViolation("a packet with excess bytes")

        return packet


def connack(code: int) -> bytes:
    """Encode a CONNACK, mostly with a `ConnectCode`; no session is ever present."""
    return bytes((0x20, 2, 0, code))


def puback(packet_id: int) -> bytes:
    """Encode a PUBACK."""
    return b"\x40\x02" + packet_id.to_bytes(2)


def suback(packet_id: int, codes: tuple[int, ...]) -> bytes:
    """Encode a SUBACK: for each filter the granted QoS, or `FAILURE`."""
    return _packet(0x90, packet_id.to_bytes(2) + bytes(codes))


def oversized(packet: bytes, size: int) -> bytes:
    """Pad a packet of up to 127 bytes with zeros, beyond what is valid; 0 to leave it."""
    return _packet(packet[0], packet[2:].ljust(size, b"\0")) if size else packet


def unsuback(packet_id: int) -> bytes:
    """Encode an UNSUBACK."""
    return b"\xb0\x02" + packet_id.to_bytes(2)


def publish(topic: str, payload: bytes, *, packet_id: int | None) -> bytes:
    """Encode a PUBLISH: QoS 1 with a packet id, QoS 0 without."""
    name = topic.encode()
    head = len(name).to_bytes(2) + name
    if packet_id is None:
        return _packet(0x30, head + payload)

    return _packet(0x32, head + packet_id.to_bytes(2) + payload)


class _Body:
    """A reader of the bytes after a packet's fixed header, and the flags in that."""

    def __init__(self, flags: int, data: bytes) -> None:
        self.flags = flags
        self._data = data
        self._size = len(data)
        self._at = 0

    @property
    def left(self) -> int:
        return self._size - self._at

    def take(self, size: int) -> bytes:
        at = self._at
        self._at = end = at + size
        if end > self._size:
            raise ProtocolViolation("a packet that ends too early")

        return self._data[at:end]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.take(2))

    def packet_id(self) -> int:
        number = self.number()
        if number == 0:  # 2.3.1-1
            raise ProtocolViolation("a packet with packet id 0")

        return number

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        try:
            text = self.take(self.number()).decode()
        except UnicodeDecodeError as exc:  # 1.5.3-1
            raise ProtocolViolation("a string that is not UTF-8") from exc

        if "\0" in text:  # 1.5.3-2
            raise ProtocolViolation("a string with a null character")

        return text

    def rest(self) -> bytes:
        return self.take(self.left)


def _remaining_length(buffer: bytearray) -> tuple[int | None, int]:
    """Read the remaining length and its offset; None if it is incomplete."""
    length = 0
    for index, digit in enumerate(buffer[1:5]):
        length |= (digit & 0x7F) << (7 * index)
        if length > MAX_PACKET:
            raise ProtocolViolation(f"a packet of over {MAX_PACKET} bytes")

        if digit < 0x80:  # noqa: PLR2004 (the highest bit says that another digit follows)
            return length, index + 2

    if len(buffer) > 4:  # noqa: PLR2004 (2.2.3: four digits at most)
        raise ProtocolViolation("a packet with a length of over four digits")

    return None, 0


def _connect(body: _Body) -> Packet:
    name, level = body.text(), body.byte()
    if name not in {"MQTT", "MQIsdp"}:
        raise ProtocolViolation("a CONNECT of another protocol")

    if name != "MQTT" or level != PROTOCOL_LEVEL:
        body.rest()
        return OtherProtocol(level)

    connect_flags = body.byte()
    _check_connect_flags(connect_flags)
    keep_alive, client_id = body.number(), body.text()
    if connect_flags & 0x04:
        body.text(), body.binary()  # a will, which DPS ignores

    return Connect(
        client_id=client_id,
        keep_alive=keep_alive,
        clean_session=bool(connect_flags & 0x02),
        user_name=body.text() if connect_flags & 0x80 else None,
        password=body.binary() if connect_flags & 0x40 else None,
    )


def _check_connect_flags(flags: int) -> None:
    will, will_options = flags & 0x04, flags & 0x38
    user_name, password = flags & 0x80, flags & 0x40
    if (
        flags & 0x01  # 3.1.2-3: reserved
        or (not will and will_options)  # 3.1.2-13, 3.1.2-15
        or will_options & 0x18 == 0x18  # noqa: PLR2004 (3.1.2-14: no QoS 3)
        or (password and not user_name)  # 3.1.2-22
    ):
        raise ProtocolViolation(f"a CONNECT with flags 0x{flags:02x}")


def _publish(body: _Body) -> Publish:
    qos, duplicate = body.flags >> 1 & 0x03, bool(body.flags & 0x08)
    if qos > 1 or (duplicate and qos == 0):  # 3.3.1-4, 3.3.1-2
        raise ProtocolViolation(f"a PUBLISH with flags 0x{body.flags:x}; QoS is 0 or 1 here")

    topic = body.text()
    if not topic or "#" in topic or "+" in topic:  # 3.3.2-2
        raise ProtocolViolation("a PUBLISH without a topic or to a filter")

    packet_id = body.packet_id() if qos else None
    return Publish(topic=topic, packet_id=packet_id, payload=body.rest(), duplicate=duplicate)


def _subscribe(body: _Body) -> Subscribe:
    packet_id, filters = body.packet_id(), []
    while body.left:
        filters.append((body.text(), body.byte()))

    if not filters or any(not topic or qos > 2 for topic, qos in filters):  # noqa: PLR2004
        raise ProtocolViolation("a SUBSCRIBE without filters or with a QoS over 2")  # 3.8.3-3, -4

    return Subscribe(packet_id, tuple(filters))


def _unsubscribe(body: _Body) -> Unsubscribe:
    packet_id, filters = body.packet_id(), []
    while body.left:
        filters.append(body.text())

    if not filters:  # 3.10.3-2
        raise ProtocolViolation("an UNSUBSCRIBE without filters")

    return Unsubscribe(packet_id, tuple(filters))


def _packet(first: int, body: bytes) -> bytes:
    length, digits = len(body), b""
    while length > 0x7F:  # noqa: PLR2004 (more than one digit)
        digits += bytes((length & 0x7F | 0x80,))
        length >>= 7

    return bytes((first, *digits, length)) + body


_READERS: Mapping[int, Callable[[_Body], Packet]] = {
    0x10: _connect,
    **dict.fromkeys(range(0x30, 0x40), _publish),
    0x40: lambda body: PubAck(body.packet_id()),
    0x82: _subscribe,
    0xA2: _unsubscribe,
    0xC0: lambda _: PingReq(),
    0xE0: lambda _: Disconnect(),
}
"""By first byte: type and flags (2.2.2). QoS 2 has four more types, which DPS does not support."""
