"""The emulator without sockets: peers that have said everything already, and remember."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import anyio
from cryptography import x509
from tests import certificates
from tests.emulated import SCOPE, device, fleet
from tests.scripted_client import REGISTER, mqtt_connect, mqtt_publish
from tests.virtual_time import elapse

from aiodps.emulator.connections.stream import PeerLostError, Stream
from aiodps.emulator.connections.timeouts import PeerTimeout
from aiodps.emulator.dispatch.dispatcher import Dispatcher
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.frontends.http.frontend import HttpFrontend
from aiodps.emulator.frontends.mqtt.session import MqttFrontend
from aiodps.emulator.request_log.log import Counts
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
        every: float = 0.0,
    ) -> None:
        """Prepare what the peer says.

        Args:
            pieces: What arrives, as it is cut.
            peer_timeout: Of the connection.
            certificates: What the peer has shown.
            breaks: Whether it breaks the connection instead of ending it.
            every: Seconds before each piece; for tests in virtual time.
        """
        self.peer_timeout = peer_timeout
        self.certificates = certificates
        self.sent: list[bytes] = []
        """What the peer was told."""
        self.sent_after: list[float] = []
        """Seconds after which it was."""
        self._began = anyio.current_time()
        self._every = every
        self._pieces = iter(pieces)
        self._breaks = breaks

    async def receive(self) -> bytes:
        """Return the next piece."""
        if self._every:
            await elapse(self._every)

        self.peer_timeout.renew()
        piece = next(self._pieces, b"")
        if not piece and self._breaks:
            raise PeerLostError("the peer has gone", explained=False)

        return piece

    async def send(self, data: bytes) -> None:
        """Remember it."""
        self.sent.append(bytes(data))
        self.sent_after.append(anyio.current_time() - self._began)

    async def linger(self) -> None:
        """Nobody is there to wait for."""

    def reset(self) -> None:
        """There is no connection to break."""


class Emulated:
    """The emulator without sockets."""

    def __init__(self, faults: str = "") -> None:
        """Set up; `faults` are TOML as in a fault file."""
        service = Service(
            id_scope=SCOPE, linked_hubs=["hub.azure-devices.net"], enrollments=fleet()
        )
        root = certificates.root().certificate_pem
        service.certificates.upload("root", root, verified=True, now=NOW)
        dispatcher = Dispatcher(service, Counts().record, FaultInjector(Plan.read(faults)))
        self.mqtt = MqttFrontend(dispatcher)
        self.http = HttpFrontend(dispatcher, self.mqtt)

    async def hear(
        self, kind: str, pieces: Iterable[bytes], *, breaks: bool = False
    ) -> list[bytes]:
        """Let a peer say something; return what it was told."""
        return (await self.meet(kind, pieces, breaks=breaks)).sent

    async def meet(
        self, kind: str, pieces: Iterable[bytes], *, breaks: bool = False, every: float = 0.0
    ) -> MemoryStream:
        """See a connection through; it remembers what the peer was told, and when."""
        transport: Callable[[Stream], object] = (
            self.mqtt.serve if kind == "mqtt" else self.http.serve
        )
        credential = device()
        shown = (credential.certificate, *credential.intermediates)
        with PeerTimeout() as peer_timeout:
            stream = MemoryStream(pieces, peer_timeout, shown, breaks=breaks, every=every)
            try:
                await transport(stream)  # type: ignore[misc]  # both are coroutines
            except PeerLostError:
                assert breaks

        return stream

    async def still_serves(self) -> bool:
        """Whether a device registers, over HTTP and over MQTT."""
        http = await self.hear("http", [PUT])
        mqtt = await self.hear("mqtt", [mqtt_connect(), mqtt_publish(REGISTER)])
        return http[0].startswith(b"HTTP/1.1 202 ") and b"/res/202/" in mqtt[-1]
