"""Device sources: devices in the caller's memory, and devices generated for an emulator."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiodps.attestation.base import Attestation
from aiodps.attestation.credentials import Attestations, Credentials
from aiodps.attestation.symmetric_key import HmacKey, SymmetricKey, read_key
from aiodps.attestation.x509 import X509
from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import unusable
from aiodps.models import JsonObject
from aiodps.pki import Authority
from aiodps.pki.files import read_authority
from aiodps.protocol.identifiers import check_registration_id

MAX_DEVICES = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device, ready to be provisioned."""

    registration_id: str
    attestation: Attestations = field(repr=False)
    """How it authenticates, or a list of ways in order."""
    payload: JsonObject | None = field(default=None, repr=False)
    """Data for the custom allocation webhook; None to send none."""


class DeviceSource(Protocol):
    """Devices in a fixed order. It is pickled for shards in other processes."""

    def registration_ids(self) -> Sequence[str]:
        """Return the registration id of every device; reads no keys."""

    def prepare(self, indices: Sequence[int]) -> None:
        """Check devices before anything is sent, and issue missing certificates.

        Raises:
            ProvisioningError: If a device cannot be provisioned.
        """

    def load(self, indices: Sequence[int]) -> list[Device]:
        """Return devices with their credentials, by their indices in `registration_ids`.

        Raises:
            ProvisioningError: If a credential cannot be read or issued.
        """


@dataclass(frozen=True, slots=True)
class InMemoryDevices:
    """Devices that the caller holds in memory."""

    devices: tuple[Device, ...]

    def __post_init__(self) -> None:
        """Check that the registration ids are valid and unique."""
        check_registration_ids([device.registration_id for device in self.devices])

    def registration_ids(self) -> Sequence[str]:
        """Return the registration id of every device."""
        return [device.registration_id for device in self.devices]

    def prepare(self, indices: Sequence[int]) -> None:
        """Check the attestation of each device."""
        for device in self.load(indices):
            credentials = Credentials(device.attestation)
            credentials.check(registration_id=device.registration_id, wall_time=time.time())

    def load(self, indices: Sequence[int]) -> list[Device]:
        """Return devices by index."""
        return [self.devices[index] for index in indices]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedDevices:
    """Devices of a run against an emulator, with certificates and keys in memory only."""

    count: int
    certificate: Path | None = None
    """The CA that issues their certificates; None if they have symmetric keys."""
    private_key: Path | None = None
    """Its private key."""
    group_key_file: Path | None = None
    """The symmetric key from which theirs are derived; None if they have certificates."""
    prefix: str = "device"
    """The first part of their registration ids."""

    def __post_init__(self) -> None:
        """Check the count and the prefix."""
        if type(self.count) is not int or not 0 < self.count <= MAX_DEVICES:
            raise unusable("devices", self.count, f"a number from 1 to {MAX_DEVICES}")

        if (self.certificate is None) is (self.group_key_file is None):
            raise unusable("attestation", None, "either a CA or the key of a group")

        check_registration_id(self._registration_id(self.count - 1))

    def registration_ids(self) -> Sequence[str]:
        """Return the registration id of every device."""
        return [self._registration_id(index) for index in range(self.count)]

    def prepare(self, indices: Sequence[int]) -> None:
        """Do nothing: certificates are issued when they are loaded."""

    def load(self, indices: Sequence[int]) -> list[Device]:
        """Issue a certificate to each device, or derive its key."""
        make = self._maker()
        names = map(self._registration_id, indices)
        return [Device(registration_id=name, attestation=make(name)) for name in names]

    def _maker(self) -> Callable[[str], Attestation]:
        if self.certificate is not None and self.private_key is not None:
            authority = read_authority(certificate=self.certificate, private_key=self.private_key)
            return functools.partial(_issue, authority)

        assert self.group_key_file is not None  # noqa: S101 (checked at the start)
        return functools.partial(member, read_key(self.group_key_file))

    def _registration_id(self, index: int) -> str:
        return f"{self.prefix}-{index:0{max(5, len(str(self.count - 1)))}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSlice:
    """Some devices of a source, one after the other; a `DeviceSource`."""

    devices: DeviceSource
    begin: int
    """Index of the first."""
    count: int

    def registration_ids(self) -> Sequence[str]:
        """Return the registration id of every device."""
        return self.devices.registration_ids()[self.begin : self.begin + self.count]

    def prepare(self, indices: Sequence[int]) -> None:
        """Check devices before anything is sent, and issue missing certificates."""
        self.devices.prepare([self.begin + index for index in indices])

    def load(self, indices: Sequence[int]) -> list[Device]:
        """Return devices with their credentials."""
        return self.devices.load([self.begin + index for index in indices])


@dataclass(frozen=True, slots=True)
class UnavailableDevices:
    """Stands for devices that only the program that created the run has; every call raises."""

    def registration_ids(self) -> Sequence[str]:
        """Raise `ConfigurationError`."""
        raise ConfigurationError(
            "the devices of this run were only in the memory of the program that created it",
            setting="devices",
            hint="resume it with that program, which uses aiodps.fleet.Fleet",
        )

    def prepare(self, indices: Sequence[int]) -> None:  # noqa: ARG002 (the protocol's)
        """Raise `ConfigurationError`."""
        self.registration_ids()

    def load(self, indices: Sequence[int]) -> list[Device]:  # noqa: ARG002 (the protocol's)
        """Raise `ConfigurationError`."""
        self.registration_ids()
        return []


def _issue(authority: Authority, registration_id: str) -> X509:
    credential = authority.device(registration_id)
    return X509.from_bytes(
        certificate=credential.chain_pem, private_key=credential.private_key_pem
    )


def member(group_key: HmacKey, registration_id: str) -> SymmetricKey:
    """Return the attestation of a device in the enrollment group with this key."""
    return SymmetricKey.member(group_key, registration_id=registration_id)


def check_registration_ids(registration_ids: Sequence[str]) -> None:
    """Check that registration ids are valid, and unique to the service, which ignores case.

    Raises:
        ConfigurationError: If there are none, or one is invalid or occurs twice.
    """
    if not registration_ids:
        raise ConfigurationError(
            "there are no devices", setting="devices", hint="give at least one"
        )

    seen: set[str] = set()
    for registration_id in map(check_registration_id, registration_ids):
        if registration_id.casefold() in seen:
            raise ConfigurationError(
                f"the registration id {registration_id!r} occurs twice (the service ignores case)",
                setting="devices",
                hint="give each device an id of its own",
            )

        seen.add(registration_id.casefold())
