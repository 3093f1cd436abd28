"""MQTT packets as people read them."""

from __future__ import annotations

import pytest

from aiodps.protocol.mqtt_packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
)
from aiodps.protocol.mqtt_text import packet_text


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        (
            Connect("dev1", "S/r/dev1", False, 60, True),
            "CONNECT client id 'dev1', user name 'S/r/dev1', keep-alive 60 s, clean session",
        ),
        (
            Connect("d", None, True, 0, False),
            "CONNECT client id 'd', password ***, keep-alive 0 s, persistent session",
        ),
        (Connack(False, 0), "CONNACK 0 accepted"),
        (Connack(True, 5), "CONNACK 5 not authorized, session present"),
        (Connack(False, 77), "CONNACK 77 unknown code"),
        (Publish("a/b", b"", 0, False, False, 0), "PUBLISH 0 qos 0 a/b"),
        (
            Publish("a", b'{"x": 1}', 1, True, True, 7),
            'PUBLISH 7 qos 1 retained duplicate a\n{"x": 1}',
        ),
        (Publish("a\x1b[2J", b" ", 0, False, False, 0), "PUBLISH 0 qos 0 a\\x1b[2J"),
        (Puback(7), "PUBACK 7"),
        (Subscribe(1, "a/#", 1), "SUBSCRIBE 1 a/# qos 1"),
        (Suback(1, 1), "SUBACK 1 granted qos 1"),
        (Suback(1, 0x80), "SUBACK 1 failure"),
        (Pingreq(), "PINGREQ"),
        (Pingresp(), "PINGRESP"),
        (Disconnect(), "DISCONNECT"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_text(packet: Packet, text: str) -> None:
    """Each packet is told in the standard's words, without control characters."""
    assert packet_text(packet) == text


def test_custom_payload_is_masked() -> None:
    """The custom payload is masked, and what cannot be masked is not shown at all."""
    secret = Publish("a", b'{"registrationState": {"payload": "secret"}}', 0, False, False, 0)
    binary = Publish("a", b"secret", 0, False, False, 0)

    assert packet_text(secret).endswith('\n{"registrationState": {"payload": "***"}}')
    assert "secret" not in packet_text(binary)
