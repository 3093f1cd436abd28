"""The endpoint of a connection: its address, the trusted CAs, and the device's TLS identity."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiodps.attestation.base import TlsIdentity
from aiodps.network.trust import Trust
from aiodps.observe import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What the dialler needs to open a TLS connection."""

    host: str
    """Host name or IP literal; checked against the server's certificate."""
    port: int
    """TCP port."""
    identity: TlsIdentity = field(repr=False)
    """What the device presents in the TLS handshake."""
    trust: Trust
    """CAs that may issue the server's certificate; not used with `OwnContext`."""
    report: Reporter = field(repr=False)
    """Reports the steps of connecting."""
