"""What stands in for an IoT hub: it takes a session over MQTT 3.1.1, and its messages."""

from __future__ import annotations

from cryptography import x509
from tests.protocol.mqtt_bytes import CONNACK, packet, puback
from tests.scripted.mqtt import Asked, Line, MqttServer
from tests.scripted.tls import serving

REFUSED = packet(0x20, b"\0\5")


class HubLine(Line):
    """A connection of a device."""

    names: tuple[str, str, str | None] = ("", "", None)
    """Client identifier, user name and password."""
    message: Asked | None = None
    """What it published."""


class IotHub(MqttServer):
    """A server of `serving` that asks every device for a certificate, and takes any."""

    line = HubLine

    def __init__(self, *, refusals: int = 0) -> None:
        """Refuse the first sessions with CONNACK 5, and then take all."""
        super().__init__(*[refuse] * refusals, take, tls=serving())

    @property
    def devices(self) -> list[HubLine]:
        """Each connection, in order of arrival."""
        return [line for line in self.lines if isinstance(line, HubLine)]

    @property
    def certificates(self) -> list[x509.Certificate | None]:
        """Those that the devices have shown."""
        return [line.certificate for line in self.lines]


def connect(line: HubLine) -> None:
    """Read CONNECT: its flags say what is in it, and this client sends no will."""
    body = line.expect(0x10)
    assert body.startswith(b"\0\4MQTT\4")
    parts, rest = list[str](), body[10:]
    while rest:
        size = int.from_bytes(rest[:2], "big")
        parts.append(rest[2 : 2 + size].decode())
        rest = rest[2 + size :]

    line.names = (parts[0], parts[1], parts[2] if len(parts) > 2 else None)


def refuse(line: HubLine) -> None:
    """Take CONNECT, and refuse it."""
    connect(line)
    line.send(REFUSED)
    line.drain()


def take(line: HubLine) -> None:
    """Take a session and one message at QoS 1."""
    connect(line)
    line.send(CONNACK)
    line.message = Asked.read(line.expect(0x30))
    line.send(puback(line.message.packet_id))
    line.drain()
