"""What hostile peers say: real conversations, broken in ways that a seed decides.

The same seed gives the same bytes on every machine, so that a failure names its own repetition.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from tests.emulated import SCOPE
from tests.protocol.mqtt_bytes import packet, text
from tests.scripted_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    HEADERS,
    PING,
    REGISTER,
    frame,
    mqtt_connect,
    mqtt_publish,
    mqtt_subscribe,
    opening,
)

Dice: TypeAlias = random.Random
Mutation: TypeAlias = Callable[[bytearray, Dice], None]

BASE: Final = f"/{SCOPE}/registrations/device-1"
VERSION: Final = "api-version=2021-10-01"
ARM: Final = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/d"
_MOST_PIECES: Final = 8


def _request(method: str, target: str, *headers: str, body: str = "") -> bytes:
    length = (f"Content-Length: {len(body)}",) if body else ()
    lines = (f"{method} {target} HTTP/1.1", "Host: localhost", *headers, *length, "", body)
    return "\r\n".join(lines).encode()


REQUESTS: Final = (
    _request("PUT", f"{BASE}/register?{VERSION}", body='{"registrationId": "device-1"}'),
    _request("GET", f"{BASE}/operations/5.00.a-b?{VERSION}", "Content-Type: a/b", body="{}"),
    _request("POST", f"{BASE}?{VERSION}", "Content-Encoding: utf-8", body='{"payload": [1, 2]}'),
    _request("PUT", f"{BASE}/register?{VERSION}", "Transfer-Encoding: chunked")
    + b'9\r\n{"tpm": {\r\n2;x=y\r\n}}\r\n0\r\nA: b\r\n\r\n',
    _request("GET", "/", "Expect: 100-continue", "Connection: keep-alive"),
    _request("HEAD", f"{ARM}/certificates?{VERSION}", "Authorization: Bearer x"),
    _request("PUT", f"{ARM}/certificates/c?{VERSION}", 'If-Match: "x"', body='{"properties": {}}'),
    _request(
        "PUT",
        f"/enrollments/e?{VERSION}",
        "Authorization: SharedAccessSignature sr=localhost&sig=QQ%3d%3d&se=9999999999&skn=a",
        body='{"registrationId": "e", "attestation": {"type": "tpm"}}',
    ),
    _request("POST", f"/enrollments/query?{VERSION}", body='{"query": "SELECT *"}'),
    _request(
        "PUT",
        f"{BASE}/register?{VERSION}",
        f"Authorization: SharedAccessSignature sr={SCOPE}%2Fregistrations%2Fdevice-1&sig=a&se=1",
    ),
)
BODY: Final = b'{"registrationId": "device-1", "payload": {"a": [1, null, "x"]}}'
STATUS: Final = "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=5.a"
PACKETS: Final = (
    mqtt_connect(),
    mqtt_connect(clean_session=False, password="SharedAccessSignature sr=a&sig=b&se=1"),  # noqa: S106 (none)
    packet(0x10, text("MQTT") + b"\x04\xee\0\x0a" + text("d") * 5),
    mqtt_subscribe(),
    mqtt_publish(REGISTER),
    mqtt_publish(REGISTER, BODY, packet_id=None),
    mqtt_publish(
        "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=5.a", b" "
    ),
    packet(0xA2, b"\0\x05" + text("$dps/registrations/res/#")),
    b"\x40\x02\0\x01",
    b"\xc0\0",
    b"\xe0\0",
)
DICTIONARY: Final = (
    *(b"\0", b"\r\n", b"\r\n\r\n", b"\n", b" ", b"%00", b"%zz", b"\xff\xfe", b"\xc3\x28", b"/"),
    *(b"Content-Length: 99999999999999999999\r\n", b"Content-Length: -1\r\n", b"7fffffffffffffff"),
    *(b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Upgrade: websocket\r\n"),
    *(b'{"a":' * 2000, b"[" * 5000, b'{"registrationId": "\\ud800"}', b"1e999", b"-0", b"NaN"),
    *(b"X: " + b"y" * 20_000 + b"\r\n", b"$rid=", b"&$rid=", b"#", b"+", b"api-version="),
    *(b"\x10\xff\xff\xff\x7f", b"\x82\x80\x80\x80\x01", b"\xff\xff\xff\xff\xff", b"\x00\x04MQTT"),
    *(b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x89\x00", b"\x88\x82\0\0\0\0\x03\xe8"),
)


def _flip(raw: bytearray, dice: Dice) -> None:
    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)


def _replace(raw: bytearray, dice: Dice) -> None:
    raw[dice.randrange(len(raw))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))


def _insert(raw: bytearray, dice: Dice) -> None:
    at = dice.randrange(len(raw) + 1)
    raw[at:at] = dice.randbytes(dice.randrange(1, 9))


def _insert_word(raw: bytearray, dice: Dice) -> None:
    at = dice.randrange(len(raw) + 1)
    raw[at:at] = dice.choice(DICTIONARY)


def _delete(raw: bytearray, dice: Dice) -> None:
    at = dice.randrange(len(raw))
    del raw[at : at + dice.randrange(1, 17)]


def _cut(raw: bytearray, dice: Dice) -> None:
    del raw[dice.randrange(len(raw)) :]


def _repeat(raw: bytearray, dice: Dice) -> None:
    at = dice.randrange(len(raw))
    raw[at:at] = bytes(raw[at : at + dice.randrange(1, 40)]) * dice.randrange(1, 20)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    *(_flip, _replace, _insert, _insert_word, _delete, _cut, _repeat),
)


def mutate(seed: bytes, dice: Dice) -> bytes:
    """Break bytes in a few places."""
    raw = bytearray(seed)
    for _ in range(dice.choice((0, 1, 1, 1, 2, 3, 8))):
        if raw:
            dice.choice(MUTATIONS)(raw, dice)

    return bytes(raw)


def _broken_inside(dice: Dice) -> bytes:
    """Write a request that is proper HTTP, with target and body broken."""
    request = dice.choice(REQUESTS)
    head, _, body = request.partition(b"\r\n\r\n")
    method, target, _ = head.partition(b"\r\n")[0].split(b" ")
    if dice.random() < 0.4:
        target = bytes(byte for byte in mutate(target, dice) if 0x20 < byte < 0x7F)

    body = mutate(body, dice)
    kept = (line for line in head.split(b"\r\n")[1:] if not line.startswith((b"Content-L", b"Tr")))
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join((method + b" /" + target[1:] + b" HTTP/1.1", *kept, length, b"", body))


def _http(dice: Dice) -> bytes:
    said = b""
    for _ in range(dice.randrange(1, 4)):
        broken = dice.random() < 0.5
        said += mutate(dice.choice(REQUESTS), dice) if broken else _broken_inside(dice)

    return said


def _broken_message(dice: Dice) -> bytes:
    """Write a proper packet of MQTT, with topic and payload broken."""
    topic, _, query = dice.choice((REGISTER, STATUS)).partition("?")
    parts = (topic.encode(), b"?", mutate(query.encode(), dice))
    name = bytes(byte for byte in b"".join(parts) if 0x20 < byte < 0x7F and byte not in b"#+")
    return packet(0x32, text(name[:8000]) + b"\0\x01" + mutate(BODY, dice)[:8000])


def _mqtt(dice: Dice) -> bytes:
    said = mutate(PACKETS[0], dice) if dice.random() < 0.3 else PACKETS[0]
    for _ in range(dice.randrange(5)):
        broken = dice.random() < 0.5
        said += mutate(dice.choice(PACKETS), dice) if broken else _broken_message(dice)

    return said


def _websocket(dice: Dice) -> bytes:
    """Break the opening, or the frames, or what is in them, or nothing."""
    said = opening(headers=HEADERS)
    if dice.random() < 0.2:
        said = mutate(said, dice)

    payload = _mqtt(dice)
    while payload:
        size = dice.choice((1, 2, 7, 125, 126, 300))
        opcode = dice.choice((BINARY,) * 12 + (CONTINUATION, PING, CLOSE, 1, 3, 15))
        framed = frame(
            opcode, payload[:size], end=dice.random() < 0.8, masked=dice.random() < 0.97
        )
        said += mutate(framed, dice) if dice.random() < 0.2 else framed
        payload = payload[size:]

    return said


KINDS: Final[Mapping[str, Callable[[Dice], bytes]]] = {
    "http": _http,
    "mqtt": _mqtt,
    "websocket": _websocket,
}


def hostile(kind: str, seed: int) -> list[bytes]:
    """Say something hostile, in the pieces in which it arrives."""
    dice = random.Random(f"{kind} {seed}")  # noqa: S311 (repeatable)
    said = KINDS[kind](dice)
    cuts = sorted(dice.randrange(len(said) + 1) for _ in range(dice.randrange(_MOST_PIECES)))
    pieces = [said[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    return [piece for piece in pieces if piece]
