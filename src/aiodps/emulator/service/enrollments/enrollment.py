"""An enrollment: which device may register, or which devices, and where they belong.

Source of the JSON shapes: Microsoft's REST reference of the DPS service API,
`IndividualEnrollment` and `EnrollmentGroup`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

from cryptography import x509

from aiodps.emulator.protocol.formats import timestamp
from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.emulator.service.enrollments.allocation import Allocation, AllocationPolicy
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    ClientCertificates,
    EnrolledCertificate,
    SigningCertificates,
    SymmetricKeys,
    TpmKeys,
    mechanism_to_json,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprovisionPolicy:
    """What happens to a device that registers again."""

    update_hub_assignment: bool = True
    """Whether it may be assigned to another hub than before."""
    migrate_device_data: bool = True
    """Whether its twin moves along; otherwise the initial twin applies again."""

    @classmethod
    def read(cls, members: JsonObject) -> Self:
        """Read what `to_json` writes; what is absent is true.

        Raises:
            ConfigurationError: If it cannot be read; the message says where.
        """
        return cls(
            update_hub_assignment=members.flag("updateHubAssignment") is not False,
            migrate_device_data=members.flag("migrateDeviceData") is not False,
        )

    def to_json(self) -> dict[str, Any]:
        """Write it as the service API does."""
        return {
            "updateHubAssignment": self.update_hub_assignment,
            "migrateDeviceData": self.migrate_device_data,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomAllocation:
    """The webhook that chooses the hub (`customAllocationDefinition` on the wire)."""

    webhook_url: str = field(repr=False)
    """Never in a repr: Azure Functions have their key in it."""
    api_version: str
    """Of the service API, whose shapes the webhook is told."""

    @classmethod
    def read(cls, members: JsonObject) -> Self:
        """Read what `to_json` writes.

        Raises:
            ConfigurationError: If it cannot be read; the message says where.
        """
        return cls(
            webhook_url=members.required_string("webhookUrl"),
            api_version=members.required_string("apiVersion"),
        )

    def to_json(self) -> dict[str, Any]:
        """Write it as the service API does."""
        return {"webhookUrl": self.webhook_url, "apiVersion": self.api_version}


class ProvisioningStatus(enum.StrEnum):
    """Whether devices may register (`provisioningStatus` on the wire)."""

    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What both kinds of enrollments say."""

    allocation: Allocation = field(default_factory=Allocation)
    custom_allocation: CustomAllocation | None = None
    """Who chooses the hub if the allocation policy is `custom`; None if nobody was named."""
    reprovision_policy: ReprovisionPolicy = field(default_factory=ReprovisionPolicy)
    initial_twin: Mapping[str, Any] | None = field(default=None, repr=False)
    """`tags` and `properties` of the device's twin to begin with; None if there are none."""
    enabled: bool = True
    others: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Members that decide nothing here, such as `capabilities`."""
    etag: str = field(default="", compare=False)
    """Of this state of it, with quotes; empty until an instance has it."""
    created: float = field(default=0.0, compare=False)
    """Seconds since 1970; 0 until an instance has it."""
    updated: float = field(default=0.0, compare=False)
    """Seconds since 1970; 0 until an instance has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndividualEnrollment(_Terms):
    """Lets one device in."""

    registration_id: str
    """Any casing of it is the same device."""
    attestation: ClientCertificates | SymmetricKeys | TpmKeys
    device_id: str | None = None
    """Its id at the IoT Hub; None for the registration id."""

    @classmethod
    def x509(
        cls,
        *,
        registration_id: str,
        certificate: x509.Certificate | str | bytes,
        secondary: x509.Certificate | str | bytes | None = None,
        device_id: str | None = None,
        hub: str | None = None,
        enabled: bool = True,
    ) -> Self:
        """Enrol a device by its own certificate.

        Args:
            registration_id: The certificate's CN.
            certificate: PEM, DER, or base64 of either.
            secondary: Another one, for roll-over; None if there is none.
            device_id: Its id at the IoT Hub; None for the registration id.
            hub: Host name of its IoT Hub, linked to the instance; None to choose one.
            enabled: Whether it may register.

        Raises:
            CertificateError: If a certificate cannot be read.
        """
        attestation = ClientCertificates(
            primary=EnrolledCertificate.of(certificate),
            secondary=None if secondary is None else EnrolledCertificate.of(secondary),
        )
        return cls(
            registration_id=registration_id,
            attestation=attestation,
            device_id=device_id,
            allocation=_to(hub),
            enabled=enabled,
        )

    def to_json(self) -> dict[str, Any]:
        """Write the enrollment as the service API takes it, with its keys and certificates."""
        device_id = {} if self.device_id is None else {"deviceId": self.device_id}
        attestation = {"attestation": mechanism_to_json(self.attestation)}
        return (
            {"registrationId": self.registration_id}
            | device_id
            | attestation
            | _terms_to_json(self)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentGroup(_Terms):
    """Lets in every device that shares a credential."""

    enrollment_group_id: str
    attestation: SigningCertificates | CaReferences | SymmetricKeys

    @classmethod
    def signed_by(
        cls,
        certificate: x509.Certificate | str | bytes,
        *,
        enrollment_group_id: str,
        secondary: x509.Certificate | str | bytes | None = None,
        hub: str | None = None,
        enabled: bool = True,
    ) -> Self:
        """Enrol the devices of a CA, root or intermediate.

        Args:
            certificate: The CA's: PEM, DER, or base64 of either. A CA above it, or itself, must
                be verified on the instance.
            enrollment_group_id: Name of the group.
            secondary: Another CA, for roll-over; None if there is none.
            hub: Host name of their IoT Hub, linked to the instance; None to choose one for each.
            enabled: Whether they may register.

        Raises:
            CertificateError: If a certificate cannot be read.
        """
        attestation = SigningCertificates(
            primary=EnrolledCertificate.of(certificate),
            secondary=None if secondary is None else EnrolledCertificate.of(secondary),
        )
        return cls(
            enrollment_group_id=enrollment_group_id,
            attestation=attestation,
            allocation=_to(hub),
            enabled=enabled,
        )

    @classmethod
    def of_ca(
        cls,
        name: str,
        *,
        enrollment_group_id: str,
        hub: str | None = None,
        enabled: bool = True,
    ) -> Self:
        """Enrol the devices of a CA certificate of the instance, by the name it has there."""
        return cls(
            enrollment_group_id=enrollment_group_id,
            attestation=CaReferences(primary=name),
            allocation=_to(hub),
            enabled=enabled,
        )

    def to_json(self) -> dict[str, Any]:
        """Write the enrollment as the service API takes it, with its keys and certificates."""
        attestation = {"attestation": mechanism_to_json(self.attestation)}
        names = {"enrollmentGroupId": self.enrollment_group_id}
        return names | attestation | _terms_to_json(self)


Enrollment: TypeAlias = IndividualEnrollment | EnrollmentGroup


def _terms_to_json(terms: _Terms) -> dict[str, Any]:
    """Write the fields of `_Terms`; what was not said is left out."""
    allocation, custom = terms.allocation, terms.custom_allocation
    status = ProvisioningStatus.ENABLED if terms.enabled else ProvisioningStatus.DISABLED
    document = {
        "provisioningStatus": status.value,
        "reprovisionPolicy": terms.reprovision_policy.to_json(),
        "allocationPolicy": allocation.policy and allocation.policy.value,
        "iotHubHostName": allocation.hub,
        "iotHubs": list(allocation.hubs) or None,
        "customAllocationDefinition": custom and custom.to_json(),
        "initialTwin": terms.initial_twin,
        **terms.others,
        "etag": terms.etag or None,
        "createdDateTimeUtc": (terms.created and timestamp(terms.created)) or None,
        "lastUpdatedDateTimeUtc": (terms.updated and timestamp(terms.updated)) or None,
    }
    return {name: value for name, value in document.items() if value is not None}


def _to(hub: str | None) -> Allocation:
    return Allocation() if hub is None else Allocation(policy=AllocationPolicy.STATIC, hub=hub)
