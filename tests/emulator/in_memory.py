"""The emulator without sockets: peers that have said everything already, and remember."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cryptography import x509
from tests import certificates
from tests.emulator.clients import REGISTER, SCOPE, device, fleet, mqtt_connect, mqtt_publish

from aiodps.emulator.connections.stream import PeerLostError, Stream
from aiodps.emulator.connections.timeouts import PeerTimeout
from aiodps.emulator.dispatch import Dispatcher
from aiodps.emulator.frontends.http.frontend import HttpFrontend
from aiodps.emulator.frontends.mqtt.session import MqttFrontend
from aiodps.emulator.request_log import Counts
from aiodps.emulator.service.service import Service

NOW = 1_700_000_000.0
PUT = (
    f"PUT /{SCOPE}/registrations/device-1/register?api-version=2021-10-01 HTTP/1.1\r\n"
    "Host: localhost\r\n\r\n"
).encode()


class MemoryStream:
    """Gives out its pieces one after the other, and then the end."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        peer_timeout: PeerTimeout,
        certificates: tuple[x509.Certificate, ...] = (),
        *,
        breaks: bool = False,
    ) -> None:
        """Prepare what the peer says.

        Args:
            pieces: What arrives, as it is cut.
            peer_timeout: Of the connection.
            certificates: What the peer has shown.
            breaks: Whether it breaks the connection instead of ending it.
        """
        self.peer_timeout = peer_timeout
        self.certificates = certificates
        self.sent: list[bytes] = []
        self._pieces = iter(pieces)
        self._breaks = breaks

    async def receive(self) -> bytes:
        """Return the next piece."""
        piece = next(self._pieces, b"")
        if not piece and self._breaks:
            raise PeerLostError("the peer has gone", told=False)

        return piece

    async def send(self, data: bytes) -> None:
        """Remember it."""
        self.sent.append(bytes(data))

    async def linger(self) -> None:
        """Nobody is there to wait for."""

    def reset(self) -> None:
        """There is no connection to break."""


class Emulated:
    """The emulator without sockets."""

    def __init__(self) -> None:
        service = Service(
            id_scope=SCOPE, linked_hubs=["hub.azure-devices.net"], enrollments=fleet()
        )
        root = certificates.root().certificate_pem
        service.certificates.upload("root", root, verified=True, now=NOW)
        dispatcher = Dispatcher(service, Counts().note)
        self.mqtt = MqttFrontend(dispatcher)
        self.http = HttpFrontend(dispatcher, self.mqtt)

    async def hear(
        self, kind: str, pieces: Sequence[bytes], *, breaks: bool = False
    ) -> list[bytes]:
        """Let a peer say something; return what it was told."""
        transport: Callable[[Stream], object] = (
            self.mqtt.serve if kind == "mqtt" else self.http.serve
        )
        credential = device()
        shown = (credential.certificate, *credential.intermediates)
        with PeerTimeout() as peer_timeout:
            stream = MemoryStream(pieces, peer_timeout, shown, breaks=breaks)
            try:
                await transport(stream)  # type: ignore[misc]  # both are coroutines
            except PeerLostError:
                assert breaks

        return stream.sent

    async def still_serves(self) -> bool:
        """Whether a device registers, over HTTP and over MQTT."""
        http = await self.hear("http", [PUT])
        mqtt = await self.hear("mqtt", [mqtt_connect(), mqtt_publish(REGISTER)])
        return http[0].startswith(b"HTTP/1.1 202 ") and b"/res/202/" in mqtt[1]
