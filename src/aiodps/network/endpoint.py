"""The endpoint of a connection: its address, the trusted CAs, and the device's TLS identity."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiodps.attestation.base import TlsIdentity
from aiodps.network.proxy import Proxy
from aiodps.network.trust import Trust
from aiodps.observe import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What the dialler needs to open a TLS connection."""

    host: str
    """Host name or IP literal; checked against the server's certificate."""
    port: int
    """TCP port."""
    address: str | None = None
    """Host name or IP literal to connect to in place of `host`; None for `host` itself."""
    proxy: Proxy | None = None
    """Proxy to connect through; None for none."""
    identity: TlsIdentity = field(repr=False)
    """What the device presents in the TLS handshake."""
    trust: Trust
    """CAs that may issue the server's certificate; not used with `OwnContext`."""
    report: Reporter = field(repr=False)
    """Reports the steps of connecting."""

    @property
    def server(self) -> tuple[str, int]:
        """Host and port at which the service is reached."""
        return self.address or self.host, self.port

    @property
    def first_hop(self) -> tuple[str, int]:
        """Host and port that this machine itself connects to: the proxy's, or the service's."""
        return self.server if self.proxy is None else (self.proxy.host, self.proxy.port)
