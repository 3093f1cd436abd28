"""The hand-over to IoT Hub: what an MQTT client needs to connect as the device.

Sources: Microsoft Learn, "Use MQTT to establish communication with IoT Hub" (names, ports, tokens;
certain). That the name of a hub is without `.device` when the device was assigned to its newer
endpoint is in one sample of Microsoft's (`Tls13Sample`, C#) for the user name; likely. That the
token is for the same name is a conclusion.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final, Self, assert_never, final

from aiodps.argument_types import check_type
from aiodps.attestation.base import Attestation, ClientCertificate, NoCertificate, OwnContext
from aiodps.attestation.credentials import Attestations, as_attestation
from aiodps.attestation.tpm import Tpm
from aiodps.errors import ConfigurationError, UsageError
from aiodps.models import Assignment
from aiodps.network.tls_contexts import fresh_context
from aiodps.network.trust import Trust
from aiodps.protocol import sas
from aiodps.protocol.payloads import hub_challenge

API_VERSION: Final = "2021-04-12"
_CLASSIC: Final = "classic"
_NEWER_ENDPOINT: Final = re.compile(r"\A([^.]+)\.device(\.azure-devices\.[a-z]+)\Z", re.IGNORECASE)
_MAX_LIFETIME: Final = 365 * 24 * 3600


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HubConnection:
    """How a device connects to its IoT hub, over MQTT 3.1.1. Its repr shows no secret.

    Publish to `devices/{client_id}/messages/events/`, with QoS 0 or 1.
    """

    websocket_port: ClassVar[int] = 443
    """TCP port of MQTT over WebSocket, with TLS and the subprotocol `mqtt`."""
    websocket_path: ClassVar[str] = "/$iothub/websocket"
    """Path of MQTT over WebSocket."""

    host: str
    """Host name, which the hub's certificate has to have."""
    port: int = 8883
    """TCP port of MQTT over TLS."""
    client_id: str
    """Client identifier: the device id, which may differ from the registration id."""
    user_name: str
    """User name: hub, device id and api-version."""
    password: str | None = field(default=None, repr=False)
    """A SAS token; None if the device authenticates with its certificate."""
    expires: datetime | None = None
    """When the token expires, in UTC: the hub then closes the connection. None if there is none.
    Before that, make a new `HubConnection` and connect again."""
    tls_context: ssl.SSLContext = field(repr=False)
    """TLS 1.2 or newer, the CAs of the hub, and the device's certificate if it has one."""

    @classmethod
    async def of(
        cls,
        assignment: Assignment,
        attestation: Attestations | None = None,
        *,
        trust: Trust | str | bytes | Path | None = None,
        token_lifetime: float = 3600.0,
    ) -> Self:
        """Prepare the connection of an assigned device; nothing is sent.

        Args:
            assignment: Of the device.
            attestation: What it was provisioned with, also a list. Not used, and may be None, if
                the assignment has an issued certificate and its key, which the hub requires.
            trust: CAs that may issue the hub's certificate; see `Trust.of`. None with the
                caller's own `SSLContext`, which has its own.
            token_lifetime: Seconds until the token expires, if one is needed.

        Raises:
            UsageError: If the hub requires MQTT 5 (connection profile `mqttV5`), or whatever else
                this version does not know.
            ConfigurationError: If there is no attestation, or an argument is not valid.
            CredentialError: If certificate, key or TPM cannot be used.
        """
        check_type(assignment, Assignment, "assignment")
        _check_profile(assignment.connection_profile)
        lifetime = _check_lifetime(token_lifetime)
        own = _attestation_of(assignment, attestation)
        hub = _NEWER_ENDPOINT.sub(r"\1\2", assignment.assigned_hub)
        context, needs_token = _tls_context(own, trust)
        password = expires = None
        if needs_token:
            expires = int(time.time()) + lifetime
            password = await _token(own, assignment, hub, expires)

        return cls(
            host=assignment.assigned_hub,
            client_id=assignment.device_id,
            user_name=f"{hub}/{assignment.device_id}/?api-version={API_VERSION}",
            password=password,
            expires=None if expires is None else datetime.fromtimestamp(expires, UTC),
            tls_context=context,
        )


def _check_profile(profile: str | None) -> None:
    if profile is not None and profile != _CLASSIC:
        raise UsageError(
            f"the device has to connect to its hub with the profile {profile[:40]!a}, "
            "which is not MQTT 3.1.1",
            hint="connect with a client that knows this profile, such as the Azure IoT SDK for C "
            "1.0 for mqttV5",
        )


def _check_lifetime(seconds: object) -> int:
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if number and 1 <= seconds <= _MAX_LIFETIME:  # type: ignore[operator]  # a number
        return int(seconds)  # type: ignore[call-overload,no-any-return]  # idem

    raise ConfigurationError(
        f"token_lifetime is not a number of seconds from 1 to {_MAX_LIFETIME}",
        setting="token_lifetime",
        hint="leave it out for an hour",
    )


def _attestation_of(assignment: Assignment, given: Attestations | None) -> Attestation:
    issued = assignment.issued
    if issued is not None and issued.key is not None:
        return as_attestation(issued)

    if isinstance(given, Sequence):
        given = given[assignment.credential] if assignment.credential < len(given) else None

    if given is None:
        raise ConfigurationError(
            "there is no attestation that the device could authenticate at its hub with",
            setting="attestation",
            hint="give what it was provisioned with",
        )

    return as_attestation(given)


def _tls_context(
    attestation: Attestation, trust: Trust | str | bytes | Path | None
) -> tuple[ssl.SSLContext, bool]:
    """Return the context of a device, and whether it needs a token as well."""
    match attestation.tls_identity():
        case OwnContext(context) as identity:
            identity.check(trust=trust)
            context.hostname_checks_common_name = False
            return context, False
        case NoCertificate():
            return fresh_context(Trust.of(trust)), True
        case ClientCertificate() as identity:
            context = fresh_context(Trust.of(trust))
            identity.load(context)
            return context, False
        case unreachable:
            assert_never(unreachable)


async def _token(attestation: Attestation, assignment: Assignment, hub: str, expires: int) -> str:
    challenge = hub_challenge(assignment.raw)
    if isinstance(attestation, Tpm) and challenge and not attestation.has_key_of(challenge):
        # It has signed with another key since, or was given it by another process. What is there
        # already is left alone: a TPM wears out with each key that it stores.
        await attestation.activate(challenge)

    audience = f"{hub}/devices/{assignment.device_id}"
    token = await attestation.authorization(audience, expires=expires)
    if token is None:
        raise ConfigurationError(
            "the attestation has neither a certificate nor a token",
            setting="attestation",
            hint="give what the device was provisioned with",
        )

    return sas.for_hub(token)
