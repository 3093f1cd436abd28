"""The service's vocabulary as Python values; no behaviour, no input or output."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

Json: TypeAlias = str | int | float | bool | Sequence[Any] | Mapping[str, Any] | None
"""A JSON value. What it holds is `Any`: an alias that names itself cannot be read at run time
before Python 3.12, and frameworks read it."""

JsonObject: TypeAlias = Mapping[str, Any]
"""A JSON object."""


class RegistrationStatus(enum.StrEnum):
    """What the service says about a registration (`status` on the wire)."""

    UNASSIGNED = "unassigned"
    """Known to the service, nothing decided yet; polling goes on."""
    ASSIGNING = "assigning"
    """The service is choosing an IoT Hub; polling goes on."""
    ASSIGNED = "assigned"
    """Done: there is an IoT Hub and a device id."""
    FAILED = "failed"
    """Done: the service could not assign the device; it says why."""
    DISABLED = "disabled"
    """Done: the enrollment is disabled."""


class Substatus(enum.StrEnum):
    """How an assignment came about (`substatus` on the wire)."""

    INITIAL_ASSIGNMENT = "initialAssignment"
    """The device was assigned for the first time."""
    DEVICE_DATA_MIGRATED = "deviceDataMigrated"
    """The device moved to another hub and its twin moved with it."""
    DEVICE_DATA_RESET = "deviceDataReset"
    """The device moved to another hub and its twin began anew."""
    REPROVISIONED_TO_INITIAL_ASSIGNMENT = "reprovisionedToInitialAssignment"
    """The device was provisioned again and stayed where it was."""


class Phase(enum.StrEnum):
    """Where a registration was when something happened."""

    CONFIGURATION = "configuration"
    """Before anything was sent: arguments, settings, files."""
    DNS = "dns"
    """Looking the endpoint's name up."""
    TCP = "tcp"
    """Opening the connection."""
    TLS = "tls"
    """Proving who the service and the device are."""
    SESSION = "session"
    """MQTT only: CONNECT to CONNACK, SUBSCRIBE to SUBACK."""
    REGISTER = "register"
    """The register request and its answer."""
    POLL = "poll"
    """Asking how the operation stands."""
    WAIT = "wait"
    """Waiting, as the service asked or before trying again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Where the device belongs: the outcome of a registration. Holds no secret."""

    registration_id: str
    """The id the device registered with."""
    device_id: str
    """The id to use at the IoT Hub; may differ from the registration id."""
    assigned_hub: str
    """Host name of the IoT Hub."""
    status: RegistrationStatus
    """Always `RegistrationStatus.ASSIGNED`."""
    substatus: Substatus | str | None = None
    """How it came about; a plain string if the service said a word this version does not know;
    None if it said nothing."""
    created: datetime | None = None
    """When the registration record was made; None if absent or unreadable."""
    updated: datetime | None = None
    """When the registration record was last changed; None if absent or unreadable."""
    etag: str | None = None
    """The record's entity tag, as the service wrote it."""
    payload: Json = field(default=None, repr=False)
    """What a custom allocation webhook returned for the device; None if nothing."""
    issued_certificate_chain: tuple[str, ...] = field(default=(), repr=False)
    """Certificates issued to the device (base64 of DER, leaf first); empty if none."""
    enrollment_group_id: str | None = None
    """The enrollment group that let the device in; None for an individual enrollment."""
    transport: str
    """The name of the transport that was used, such as "rest"."""
    raw: JsonObject = field(default_factory=dict, repr=False)
    """The whole `registrationState` as received, unknown members included."""
