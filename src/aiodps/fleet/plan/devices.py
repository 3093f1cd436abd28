"""Where a fleet's devices come from: a manifest, a CA made for the run, or the caller."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiodps.attestation.base import Attestation
from aiodps.attestation.x509 import X509
from aiodps.errors import ConfigurationError
from aiodps.models import JsonObject
from aiodps.pki import Authority
from aiodps.pki.files import read_authority
from aiodps.protocol.identifiers import check_registration_id

MOST_DEVICES = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device, ready to be provisioned."""

    registration_id: str
    attestation: Attestation = field(repr=False)
    payload: JsonObject | None = field(default=None, repr=False)
    """Custom data for the allocation webhook; None to send none."""


class DeviceSource(Protocol):
    """Devices in a fixed order. A shard in another process gets the source pickled."""

    def names(self) -> Sequence[str]:
        """Return every registration id; cheap, no keys are read."""

    def prepare(self, indices: Sequence[int]) -> None:
        """Check devices before anything is sent; makes what is made once.

        Raises:
            ProvisioningError: If one cannot be provisioned.
        """

    def load(self, indices: Sequence[int]) -> list[Device]:
        """Make some of the devices ready, by their places in `names`.

        Raises:
            ProvisioningError: If one cannot be.
        """


@dataclass(frozen=True, slots=True)
class InMemoryDevices:
    """Devices that the caller has in memory."""

    devices: tuple[Device, ...]

    def __post_init__(self) -> None:
        """Refuse what could not be told apart."""
        check_names([device.registration_id for device in self.devices])

    def names(self) -> Sequence[str]:
        """Return every registration id."""
        return [device.registration_id for device in self.devices]

    def prepare(self, indices: Sequence[int]) -> None:
        """Check whether each device can prove who it is."""
        for device in self.load(indices):
            device.attestation.check(registration_id=device.registration_id, wall_time=time.time())

    def load(self, indices: Sequence[int]) -> list[Device]:
        """Return some of the devices."""
        return [self.devices[index] for index in indices]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedDevices:
    """Generated devices of a run against an emulator: certificates in memory, keys never kept."""

    count: int
    certificate: Path
    """The CA that issues them."""
    private_key: Path
    prefix: str = "device"
    """What their registration ids begin with."""

    def __post_init__(self) -> None:
        """Refuse numbers and names that make no sense."""
        if type(self.count) is not int or not 0 < self.count <= MOST_DEVICES:
            raise ConfigurationError(
                f"the number of devices cannot be {ascii(self.count)[:40]}",
                setting="devices",
                hint=f"give a number from 1 to {MOST_DEVICES}",
            )

        check_registration_id(self._name(self.count - 1))

    def names(self) -> Sequence[str]:
        """Return every registration id."""
        return [self._name(index) for index in range(self.count)]

    def prepare(self, indices: Sequence[int]) -> None:
        """Nothing: what is issued is right."""

    def load(self, indices: Sequence[int]) -> list[Device]:
        """Issue certificates."""
        authority = read_authority(certificate=self.certificate, private_key=self.private_key)
        return [_issue(authority, self._name(index)) for index in indices]

    def _name(self, index: int) -> str:
        return f"{self.prefix}-{index:0{max(5, len(str(self.count - 1)))}}"


@dataclass(frozen=True, slots=True)
class UnavailableDevices:
    """Devices that only the program has that began the run."""

    def names(self) -> Sequence[str]:
        """Refuse.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(
            "the devices of this run were given in memory",
            setting="devices",
            hint="resume it with the program that created it, by aiodps.fleet.Fleet",
        )

    def prepare(self, indices: Sequence[int]) -> None:  # noqa: ARG002 (the protocol's)
        """Refuse."""
        self.names()

    def load(self, indices: Sequence[int]) -> list[Device]:  # noqa: ARG002 (the protocol's)
        """Refuse."""
        self.names()
        return []


def _issue(authority: Authority, registration_id: str) -> Device:
    credential = authority.device(registration_id)
    return Device(
        registration_id=registration_id,
        attestation=X509.from_bytes(
            certificate=credential.chain_pem, private_key=credential.private_key_pem
        ),
    )


def check_names(names: Sequence[str]) -> None:
    """Make sure that there are devices, and that no two are the same to the service.

    Raises:
        ConfigurationError: If not.
    """
    if not names:
        raise ConfigurationError(
            "there are no devices", setting="devices", hint="give at least one"
        )

    seen: set[str] = set()
    for name in map(check_registration_id, names):
        if name.casefold() in seen:
            raise ConfigurationError(
                f"the registration id {name!r} occurs twice (the service ignores case)",
                setting="devices",
                hint="give each device an id of its own",
            )

        seen.add(name.casefold())
