"""The service's vocabulary as Python values. Only what was issued has behaviour: it is saved."""

from __future__ import annotations

import copy
import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from aiodps.fresh_files import fresh_file
from aiodps.libraries import crypto

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
    """Opening the TCP connection, to the proxy if there is one."""
    PROXY = "proxy"
    """The handshake with the proxy, which connects to the service."""
    TLS = "tls"
    """The TLS handshake."""
    SESSION = "session"
    """MQTT only: the upgrade to WebSocket if there is one, from CONNECT to CONNACK, and from
    SUBSCRIBE to SUBACK."""
    REGISTER = "register"
    """The register request and its response."""
    POLL = "poll"
    """A status query or a look-up, and its response."""
    WAIT = "wait"
    """Waiting, as the service asked or before a retry."""


_FILE_NAME: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class IssuedCredential:
    """A certificate that the service issued to the device, with the key that was made for it.

    It can be given as `attestation=`, and saved. Its repr does not show the key.
    """

    key: crypto.ec.EllipticCurvePrivateKey | crypto.rsa.RSAPrivateKey | None = field(repr=False)
    """The private key; None if the caller made the request (`csr=`), and so has the key."""
    chain: tuple[crypto.x509.Certificate, ...] = field(repr=False)
    """Leaf, intermediates, and the root if the service sent it: each issued by the next."""

    @property
    def registration_id(self) -> str:
        """The CN of the leaf."""
        names = self.chain[0].subject.get_attributes_for_oid(crypto.x509.NameOID.COMMON_NAME)
        return str(names[0].value)

    @property
    def expires(self) -> datetime:
        """When the leaf expires, in UTC."""
        return self.chain[0].not_valid_after_utc

    @property
    def chain_pem(self) -> bytes:
        """The certificates in PEM."""
        pem = crypto.serialization.Encoding.PEM
        return b"".join(each.public_bytes(pem) for each in self.chain)

    @property
    def key_pem(self) -> bytes:
        """The private key as PKCS#8 in PEM, not encrypted; empty if the caller has it."""
        if self.key is None:
            return b""

        form = crypto.serialization
        return self.key.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )

    def save(self, directory: str | Path) -> Path:
        """Write chain and key to one file, `REGISTRATION_ID.pem`, and return its path.

        Only its owner may read it (0600). It is written to the disk and then replaces an older
        one atomically, so the file always has a chain and the key that belongs to it.
        A program that wants two files can be given the same one twice.

        Args:
            directory: Created if it does not exist.

        Raises:
            OSError: If it cannot be written; an older file is unchanged.
            ValueError: If the CN of the leaf is not a registration id.
        """
        if not _FILE_NAME.fullmatch(self.registration_id):
            raise ValueError(f"{self.registration_id!a} is not a registration id")

        path = Path(directory) / f"{self.registration_id}.pem"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with fresh_file(path, mode=0o600, durable=True) as file:
            file.write((self.chain_pem + self.key_pem).decode())

        return path


class _Issued:
    """A place for what was issued that is not a field: fields are shown, copied and pickled."""

    __slots__ = ("_issued",)

    _issued: IssuedCredential | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment(_Issued):
    """The result of a registration: the device's IoT hub and device id.

    Contains no secret except `issued`, which is not a field: it is neither shown nor compared,
    and is lost when the assignment is copied, pickled, or written as JSON.
    """

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
    cached: bool = field(default=False, compare=False)
    """Whether it was stored by an earlier registration (`AssignmentCache`): nothing was sent."""
    connection_profile: str | None = None
    """How the device has to connect to its hub: "classic", or "mqttV5" for MQTT 5 alone. A plain
    string, because there may be more; None if absent, which means "classic"."""
    enrollment_group_id: str | None = None
    """Enrollment group of the device; None for an individual enrollment."""
    transport: str
    """Name of the transport that was used, such as "rest"."""
    raw: JsonObject = field(default_factory=dict, repr=False)
    """The complete `registrationState` as received, including unknown members."""

    @property
    def issued(self) -> IssuedCredential | None:
        """The certificate that was issued, with its key; None if none was asked for."""
        return getattr(self, "_issued", None)

    def with_issued(self, issued: IssuedCredential | None) -> Self:
        """Return a copy with another `issued`."""
        assignment = copy.copy(self)
        object.__setattr__(assignment, "_issued", issued)
        return assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRecord:
    """The service's record of a device's latest registration, as a look-up returns it.

    A value that the service did not send is None. Contains no secret, unless `payload` or `raw`
    do.
    """

    registration_id: str
    """The id that was looked up."""
    status: RegistrationStatus
    """Status of the latest registration; `FAILED` and `DISABLED` are results as well."""
    substatus: Substatus | str | None = None
    """Kind of assignment; a plain string if it is unknown to this version."""
    assigned_hub: str | None = None
    """Host name of the IoT hub; None unless the device is assigned."""
    device_id: str | None = None
    """The device's id at the IoT hub; a registration that failed may have an earlier one."""
    created: datetime | None = None
    """When the record was created."""
    updated: datetime | None = None
    """When the record was last changed."""
    etag: str | None = None
    """Entity tag of the record."""
    error_code: int | None = None
    """The service's six-digit code for why the registration failed; None if it has not."""
    error_message: str | None = None
    """The service's words for the same, in one line."""
    payload: Json = field(default=None, repr=False)
    """What the custom allocation webhook returned for the device."""
    connection_profile: str | None = None
    """How the device has to connect to its hub; see `Assignment.connection_profile`."""
    enrollment_group_id: str | None = None
    """Enrollment group of the device; None for an individual enrollment."""
    transport: str
    """Name of the transport that was used, such as "rest"."""
    raw: JsonObject = field(default_factory=dict, repr=False)
    """The complete record as received, including unknown members."""
