"""The contract of a transport, and what one needs to know to be opened."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from aiodps.attestation.base import Attestation
from aiodps.network.endpoint import Endpoint
from aiodps.network.trust import Trust
from aiodps.observe import Reporter
from aiodps.protocol.identifiers import audience
from aiodps.protocol.messages import Request, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which registration at which service, as whom."""

    endpoint: str
    """Host name or IP literal of the service; checked against its certificate."""
    id_scope: str
    """The id scope of the DPS instance."""
    registration_id: str
    """The device's registration id."""
    attestation: Attestation = field(repr=False)
    """How the device proves who it is."""
    trust: Trust
    """Which CAs the service's certificate may come from; not used with `OwnContext`."""
    report: Reporter = field(repr=False)
    """Takes the steps of the registration."""
    timeout: float
    """Seconds that the whole registration may take."""

    def at_port(self, port: int) -> Endpoint:
        """Return what the dialler needs to reach the service on a TCP port."""
        return Endpoint(
            host=self.endpoint,
            port=port,
            identity=self.attestation.tls_identity(),
            trust=self.trust,
            report=self.report,
        )

    async def authorization(self) -> str | None:
        """Return a SAS token that outlives the registration; None if TLS is proof enough.

        It is the `Authorization` header of a REST request and the password of an MQTT session.

        Raises:
            CredentialError: If the device's key cannot be used.
        """
        return await self.attestation.authorization(
            audience(self.id_scope, self.registration_id),
            expires=int(time.time() + self.timeout) + _CLOCK_SKEW,
        )


_CLOCK_SKEW = 300
"""Seconds by which this device's clock may be behind the service's."""


class Transport(Protocol):
    """A way to reach the service for one device; used by one task at a time.

    The contract, which one conformance suite runs against every transport:

    1. `connect` returns when a request can be sent. It returns at once when the connection
       stands, and opens a new one when the last was lost. It sends no registration.
    2. `exchange` sends one request and returns the answer to it, whatever its status.
       Answers to anything else are dropped and reported as `IGNORED`.
    3. Both raise only `TransportError`, `TlsError`, `ProtocolError`, `ServiceError` (a refused
       MQTT session) or `CredentialError` (a key that cannot be loaded), each with its `phase`
       and with the original exception as `__cause__`. After an error the connection is closed.
    4. No retries, no sleeping, no redirects. Time limits: `connect` keeps its own for each phase;
       `exchange` has none and is bounded by the caller's cancellation.
    5. Cancelled at any await, nothing is left behind: no task, socket, thread or file.
       The connection is closed then; `connect` may be called again.
    6. `aclose` may be called at any time and more than once, also when cancelled, takes no more
       than a moment and raises nothing.
    """

    async def connect(self) -> None:
        """Make sure a request can be sent."""

    async def exchange(self, request: Request) -> Response:
        """Send one request and return its answer."""

    async def aclose(self) -> None:
        """Close the connection, politely if there is time."""


class TransportFactory(Protocol):
    """A transport's settings: a frozen value that knows how to open one for a device."""

    @property
    def name(self) -> str:
        """The transport's name, for steps, errors and assignments."""

    def open(self, target: Target) -> Transport:
        """Return a transport that is not connected yet.

        Raises:
            ConfigurationError: If the transport cannot run here (MQTT on trio).
        """
