"""What a device says from register to assigned, byte by byte, over HTTPS and over MQTT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

Step: TypeAlias = tuple[str, str]
"""A message (as Latin-1), and what the answer to it contains when it is complete."""

_DEVICE: Final = "d" * len("dev-00000")
_OPERATION: Final = "x" * len("5.0123456789abcdef.01234567-89ab-cdef-0123-456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What is said, with the placeholders of `crowd`."""

    steps: Callable[[str], list[Step]]
    mqtt: bool

    def written(self, id_scope: str) -> tuple[list[str], list[str]]:
        """Return the messages, and how to know that each is answered."""
        steps = self.steps(id_scope)
        return [message for message, _ in steps], [end for _, end in steps]


def _rest(id_scope: str) -> list[Step]:
    base = f"/{id_scope}/registrations/{{device}}"
    put = f"PUT {base}/register?api-version=2021-10-01 HTTP/1.1\r\nHost: dps\r\n"
    get = f"GET {base}/operations/{{operation}}?api-version=2021-10-01 HTTP/1.1\r\nHost: dps\r\n"
    body = '{"registrationId": "{device}"}'
    length = len(body.replace("{device}", _DEVICE))
    headers = f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    end = "\r\n0\r\n\r\n"
    return [(put + headers + body, end), (f"{get}\r\n", end)]


def _mqtt(id_scope: str) -> list[Step]:
    names = "$dps/registrations"
    user = f"{id_scope}/registrations/{_DEVICE}/api-version=2019-03-31"
    connect = f"{_text('MQTT')}\x04\x82\x00\x3c{_text(_DEVICE)}{_text(user)}"
    subscribe = f"\x00\x01{_text(f'{names}/res/#')}\x01"
    register = f"{_text(f'{names}/PUT/iotdps-register/?$rid=1')}\x00\x02{{}}"
    query = f"$rid=2&operationId={_OPERATION}"
    status = f"{_text(f'{names}/GET/iotdps-get-operationstatus/?{query}')}\x00\x03 "
    return [
        (_packet(0x10, connect).replace(_DEVICE, "{device}"), "\x20\x02\x00\x00"),
        (_packet(0x82, subscribe), "\x90\x03\x00\x01\x01"),
        (_packet(0x32, register), '"assigning"}'),
        (_packet(0x32, status).replace(_OPERATION, "{operation}"), '"assigned"'),
    ]


def _websocket(id_scope: str) -> list[Step]:
    """Say the same in frames, masked with nothing."""
    headers = (
        *("GET /$iothub/websocket HTTP/1.1", "Host: dps", "Connection: Upgrade"),
        *("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt"),
        *("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""),
    )
    return [
        ("\r\n".join(headers), "\r\n\r\n"),
        *((_frame(packet), end) for packet, end in _mqtt(id_scope)),
    ]


def _frame(packet: str) -> str:
    size = len(packet.replace("{device}", _DEVICE).replace("{operation}", _OPERATION))
    length = chr(size | 0x80) if size < 126 else "\xfe" + size.to_bytes(2).decode("latin-1")
    return f"\x82{length}\0\0\0\0{packet}"


def _text(text: str) -> str:
    return len(text).to_bytes(2).decode("latin-1") + text


def _packet(first: int, body: str) -> str:
    """Write a packet of less than 16 kB."""
    low, high = len(body) & 0x7F, len(body) >> 7
    return chr(first) + (chr(low | 0x80) + chr(high) if high else chr(low)) + body


CONVERSATIONS: Final[Mapping[str, Conversation]] = {
    "rest": Conversation(steps=_rest, mqtt=False),
    "mqtt": Conversation(steps=_mqtt, mqtt=True),
    "mqtt-ws": Conversation(steps=_websocket, mqtt=False),
}
