"""The contract of transports, and the target that a transport is opened for."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias, get_args

from aiodps.attestation.base import Attestation
from aiodps.errors import ConfigurationError
from aiodps.network.endpoint import Endpoint
from aiodps.network.proxy import Proxy
from aiodps.network.trust import Trust
from aiodps.observe import Reporter
from aiodps.protocol.identifiers import audience
from aiodps.protocol.messages import Request, Response, TpmKeys

AUTO = "auto"
"""The name of the transport that is a race; see `auto.py`."""

SessionName: TypeAlias = Literal["aiomqtt", "native"]
"""What speaks MQTT: the library aiomqtt, or aiodps itself."""
SESSIONS: Final[tuple[SessionName, ...]] = get_args(SessionName)


def check_session(value: object, *, setting: str = "session") -> SessionName:
    """Return the name of a session.

    Raises:
        ConfigurationError: If it is not one.
    """
    for name in SESSIONS:
        if value == name:
            return name

    raise ConfigurationError(
        f"the MQTT session {value!r} is not {' or '.join(SESSIONS)}",
        setting=setting,
        hint="leave it out to use the default",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The registration that a transport is opened for."""

    endpoint: str
    """Host name or IP literal of the service, checked against its certificate."""
    address: str | None = None
    """Host name or IP literal to connect to in place of `endpoint`; None for `endpoint`."""
    proxy: Proxy | None = None
    """Proxy to connect through; None for none."""
    id_scope: str
    """Id scope of the DPS instance."""
    registration_id: str
    """Registration id of the device."""
    attestation: Attestation = field(repr=False)
    """How the device authenticates."""
    trust: Trust
    """CAs that may issue the service's certificate; not used with `OwnContext`."""
    report: Reporter = field(repr=False)
    """Reports the steps of the registration."""
    timeout: float
    """Seconds for the whole registration."""
    csr: bool = False
    """Whether the device asks for a certificate, which not every api-version knows."""
    look_up: bool = False
    """Whether the registration record is looked up, which not every transport can."""
    turn: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    """Awaited by `connect` when the connection is open, before anything of DPS is sent over it:
    connections race, and only one of them may send. None if there is no race."""

    def at_port(self, port: int) -> Endpoint:
        """Return the endpoint of the service at a TCP port, for the dialler."""
        return Endpoint(
            host=self.endpoint,
            port=port,
            address=self.address,
            proxy=self.proxy,
            identity=self.attestation.tls_identity(),
            trust=self.trust,
            report=self.report,
        )

    def authority(self, port: int) -> str:
        """Return the service's host for the `Host` header: with the port, unless it is 443."""
        name = f"[{self.endpoint}]" if ":" in self.endpoint else self.endpoint
        return name if port == 443 else f"{name}:{port}"  # noqa: PLR2004 (the port of https)

    @property
    def tpm_keys(self) -> TpmKeys | None:
        """The public keys of the device's TPM; None if it authenticates without one."""
        keys: TpmKeys | None = getattr(self.attestation, "tpm_keys", None)
        return keys

    async def authorization(self) -> str | None:
        """Return a SAS token that outlives the registration; None if TLS authenticates the device.

        It is the `Authorization` header of a REST request and the password of an MQTT session.

        Raises:
            CredentialError: If the device's key cannot be used.
        """
        return await self.attestation.authorization(
            audience(self.id_scope, self.registration_id),
            expires=int(time.time() + self.timeout) + _CLOCK_SKEW,
        )


_CLOCK_SKEW = 300
"""Seconds by which this device's clock may be behind that of the service."""


class Transport(Protocol):
    """Exchanges requests and responses with the service, for one device and one task at a time.

    The contract, which one conformance suite checks for every transport:

    1. `connect` returns when a request can be sent: at once if the connection is open, otherwise
       after opening a new one. It sends no request.
    2. `exchange` sends one request and returns its response, whatever the status. Responses to
       anything else are dropped, and reported as `IGNORED`.
    3. Both raise only `TransportError`, `TlsError`, `ProtocolError`, `ServiceError` (a rejected
       MQTT session) or `CredentialError` (a key that cannot be loaded), each with its `phase` and
       with the original exception as `__cause__`. After an error the connection is closed.
    4. There are no retries, no sleeping and no redirects. `connect` has a time limit for each
       phase; `exchange` has none, and is cancelled by the caller.
    5. Cancelled at any await, it leaves nothing behind: no task, socket, thread or file. The
       connection is then closed, and `connect` may be called again.
    6. `wait_until` waits between two exchanges, until a time of the event loop's clock, and keeps
       the connection alive meanwhile. That it ends is noticed by the next `connect`.
    7. `close` closes the connection at once. It may be called at any time and repeatedly, and
       raises nothing.
    """

    async def connect(self) -> None:
        """Make sure that a request can be sent."""

    async def exchange(self, request: Request) -> Response:
        """Send one request and return its response."""

    async def wait_until(self, when: float) -> None:
        """Wait until a time of the event loop's clock."""

    def close(self) -> None:
        """Close the connection."""


class TransportFactory(Protocol):
    """The settings of a transport: a frozen value that opens one for a device."""

    @property
    def name(self) -> str:
        """Name of the transport, for steps, errors and assignments."""

    def open(self, target: Target) -> Transport:
        """Return a transport that is not connected yet.

        Raises:
            ConfigurationError: If the transport cannot run here (aiomqtt on trio), or cannot do
                what the target is for (a look-up over MQTT).
        """
