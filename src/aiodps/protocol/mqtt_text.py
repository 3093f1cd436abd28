"""MQTT packets as text, as an MQTT client tool shows them, with secrets masked."""

from __future__ import annotations

from typing import assert_never

from aiodps.protocol.masking import masked_body
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

_CONNACK_WORDS = {
    0: "accepted",
    1: "unacceptable protocol version",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}


def packet_text(packet: Packet) -> str:  # noqa: PLR0911 (one for each type)
    """Return a packet as one line of text, for a message with its payload in a second one."""
    match packet:
        case Connect():
            return _connect_text(packet)
        case Connack(session_present, code):
            session = ", session present" if session_present else ""
            return f"CONNACK {code} {_CONNACK_WORDS.get(code, 'unknown code')}{session}"
        case Publish(topic, payload, qos):
            flags = f"{' retained' * packet.retain}{' duplicate' * packet.dup}"
            body = masked_body(payload)
            return f"PUBLISH {packet.packet_id} qos {qos}{flags} {_plain(topic)}\n{body}".rstrip()
        case Puback(packet_id):
            return f"PUBACK {packet_id}"
        case Subscribe(packet_id, topic_filter, qos):
            return f"SUBSCRIBE {packet_id} {_plain(topic_filter)} qos {qos}"
        case Suback(packet_id, code):
            return f"SUBACK {packet_id} " + ("failure" if code > 2 else f"granted qos {code}")  # noqa: PLR2004 (QoS ends at 2)
        case Pingreq() | Pingresp() | Disconnect():
            return type(packet).__name__.upper()
        case _:
            assert_never(packet)


def _connect_text(packet: Connect) -> str:
    parts = [f"CONNECT client id {packet.client_id!a}"]
    if packet.user_name is not None:
        parts.append(f"user name {packet.user_name!a}")

    if packet.has_password:
        parts.append("password ***")

    parts.append(f"keep-alive {packet.keep_alive} s")
    parts.append("clean session" if packet.clean_session else "persistent session")
    return ", ".join(parts)


def _plain(text: str) -> str:
    """Escape control characters, to keep them off the terminal."""
    return ascii(text)[1:-1]
