"""The far end of a connection: an address, and what TLS has to know to trust it and be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiodps.attestation.base import TlsIdentity
from aiodps.network.trust import Trust
from aiodps.observe import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to connect, as whom."""

    host: str
    """Host name or IP literal; checked against the server's certificate."""
    port: int
    """TCP port."""
    identity: TlsIdentity = field(repr=False)
    """What the device shows in the TLS handshake."""
    trust: Trust
    """Which CAs the server's certificate may come from; not used with `OwnContext`."""
    report: Reporter = field(repr=False)
    """Takes the steps of connecting."""
