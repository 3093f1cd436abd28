"""Plan: which endpoint is checked, over which paths, and how it is reached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

import anyio
from anyio.abc import SocketStream

from aiodps.attestation.base import NoCertificate, TlsIdentity
from aiodps.network.endpoint import Endpoint
from aiodps.network.proxy import Proxy, authority
from aiodps.network.trust import Trust
from aiodps.observe import Reporter
from aiodps.settings import Settings
from aiodps.transports import AUTO, TRANSPORTS, transport_by_name

WEBSOCKET: Final = "mqtt-ws"
"""Name of the path of MQTT over WebSocket."""

Connector: TypeAlias = Callable[[str, int], Awaitable[SocketStream]]
"""Opens a TCP connection to an IP address and a port."""
Clock: TypeAlias = Callable[[], datetime]
"""Returns the time of this machine, with a time zone."""


def utc_now() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


async def _connect(address: str, port: int) -> SocketStream:
    return await anyio.connect_tcp(address, port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is checked of a network."""

    host: str
    """Host name or IP literal of the service."""
    paths: dict[int, tuple[str, ...]]
    """The transports that use each port, by name."""
    trust: Trust
    """CAs that may issue the service's certificate."""
    address: str | None = None
    """Host to connect to in place of `host`; None for `host` itself."""
    proxy: Proxy | None = None
    """Proxy to connect through; None for none."""
    identity: TlsIdentity = field(default_factory=NoCertificate, repr=False)
    """What the device presents in the TLS handshake."""
    connect: Connector = field(default=_connect, repr=False)
    now: Clock = field(default=utc_now, repr=False)

    def endpoint(self, port: int, identity: TlsIdentity | None = None) -> Endpoint:
        """Return the endpoint at a port for the dialler; `identity` in place of the device's."""
        return Endpoint(
            host=self.host,
            port=port,
            address=self.address,
            proxy=self.proxy,
            identity=self.identity if identity is None else identity,
            trust=self.trust,
            report=Reporter("check", "check", loud=False),
        )

    def authority(self, port: int) -> str:
        """Return the service's host for a `Host` header: with the port, unless it is 443."""
        return authority(self.host, port).removesuffix(":443")

    def first_hop(self, port: int) -> tuple[str, int]:
        """Return host and port that this machine connects to: the proxy's, or the service's."""
        return self.endpoint(port).first_hop


def paths_of(settings: Settings) -> dict[int, tuple[str, ...]]:
    """Return the transports that a device with these settings may use, by port.

    With "auto" all of them are checked, each at its own port; if a port is given, the transport
    that "auto" is at that port.
    """
    name, port = settings.transport, settings.port
    assert isinstance(name, str)  # noqa: S101 (of the command line and the environment)
    if name == AUTO and port is not None:
        name = transport_by_name(name, port=port).name

    if name != AUTO:
        return {_port_of(name) if port is None else port: (name,)}

    paths: dict[int, tuple[str, ...]] = {}
    for each in TRANSPORTS:
        paths[_port_of(each)] = (*paths.get(_port_of(each), ()), each)

    return paths


def _port_of(name: str) -> int:
    return TRANSPORTS[name]().tcp_port
