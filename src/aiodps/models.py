"""The service's vocabulary as Python values, without behaviour."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

Json: TypeAlias = str | int | float | bool | Sequence[Any] | Mapping[str, Any] | None
"""A JSON value. Its members are `Any`, because frameworks cannot evaluate a recursive alias at run
time before Python 3.12."""

JsonObject: TypeAlias = Mapping[str, Any]
"""A JSON object."""


class RegistrationStatus(enum.StrEnum):
    """Status of a registration (`status` on the wire)."""

    UNASSIGNED = "unassigned"
    """Known to the service, but not decided yet; polling continues."""
    ASSIGNING = "assigning"
    """The service is choosing an IoT hub; polling continues."""
    ASSIGNED = "assigned"
    """Final: the device has an IoT hub and a device id."""
    FAILED = "failed"
    """Final: the service could not assign the device, and says why."""
    DISABLED = "disabled"
    """Final: the enrollment is disabled."""


class Substatus(enum.StrEnum):
    """Kind of an assignment (`substatus` on the wire)."""

    INITIAL_ASSIGNMENT = "initialAssignment"
    """The device was assigned for the first time."""
    DEVICE_DATA_MIGRATED = "deviceDataMigrated"
    """The device was reassigned to another hub, and its twin was migrated."""
    DEVICE_DATA_RESET = "deviceDataReset"
    """The device was reassigned to another hub, and its twin was reset."""
    REPROVISIONED_TO_INITIAL_ASSIGNMENT = "reprovisionedToInitialAssignment"
    """The device was provisioned again, and keeps its initial assignment."""


class Phase(enum.StrEnum):
    """Phase of a registration, as named in steps and errors."""

    CONFIGURATION = "configuration"
    """Before anything is sent: arguments, settings, files."""
    DNS = "dns"
    """Looking up the endpoint's name."""
    QUEUE = "queue"
    """Waiting for a slot of the handshake limiter: this process holds the connection back."""
    TCP = "tcp"
    """Opening the TCP connection."""
    TLS = "tls"
    """The TLS handshake."""
    SESSION = "session"
    """MQTT only: from CONNECT to CONNACK, and from SUBSCRIBE to SUBACK."""
    REGISTER = "register"
    """The register request and its response."""
    POLL = "poll"
    """A status query and its response."""
    WAIT = "wait"
    """Waiting, as the service asked or before a retry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The result of a registration: the device's IoT hub and device id. Contains no secret."""

    registration_id: str
    """The id that the device registered with."""
    device_id: str
    """The device's id at the IoT hub; may differ from the registration id."""
    assigned_hub: str
    """Host name of the IoT hub."""
    status: RegistrationStatus
    """Always `RegistrationStatus.ASSIGNED`."""
    substatus: Substatus | str | None = None
    """Kind of assignment; a plain string if it is unknown to this version; None if absent."""
    created: datetime | None = None
    """When the registration record was created; None if absent or not valid."""
    updated: datetime | None = None
    """When the registration record was last changed; None if absent or not valid."""
    etag: str | None = None
    """Entity tag of the registration record; None if absent."""
    payload: Json = field(default=None, repr=False)
    """What the custom allocation webhook returned for the device; None if nothing."""
    issued_certificate_chain: tuple[str, ...] = field(default=(), repr=False)
    """Certificates issued to the device (base64 of DER, leaf first); empty if none."""
    credential: int = 0
    """Which of several credentials the service accepted, from 0."""
    connection_profile: str | None = None
    """How the device has to connect to its hub: "classic", or "mqttV5" for MQTT 5 alone. A plain
    string, because there may be more; None if absent, which means "classic"."""
    enrollment_group_id: str | None = None
    """Enrollment group of the device; None for an individual enrollment."""
    transport: str
    """Name of the transport that was used, such as "rest"."""
    raw: JsonObject = field(default_factory=dict, repr=False)
    """The complete `registrationState` as received, including unknown members."""
