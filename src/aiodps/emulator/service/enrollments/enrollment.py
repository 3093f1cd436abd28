"""Enrollments: which devices may register, and how they are assigned.

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
from aiodps.emulator.service.enrollments.issuance import IssuancePolicy
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    ClientCertificates,
    SigningCertificates,
    SymmetricKeys,
    TpmKeys,
    mechanism_to_json,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprovisionPolicy:
    """The treatment of a device that registers again."""

    update_hub_assignment: bool = True
    """Whether it may be assigned to another hub than before."""
    migrate_device_data: bool = True
    """Whether its twin moves along; otherwise it is reset to the initial twin."""

    @classmethod
    def read(cls, members: JsonObject) -> Self:
        """Read a `reprovisionPolicy`; absent members are true.

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
    """Not in the repr: it holds the key of an Azure Function."""
    api_version: str
    """Of the service API: the form of enrollments in requests to the webhook."""

    @classmethod
    def read(cls, members: JsonObject) -> Self:
        """Read a `customAllocationDefinition`.

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
    """The fields of both kinds of enrollments."""

    allocation: Allocation = field(default_factory=Allocation)
    custom_allocation: CustomAllocation | None = None
    """The webhook for the allocation policy `custom`; None if there is none."""
    reprovision_policy: ReprovisionPolicy = field(default_factory=ReprovisionPolicy)
    initial_twin: Mapping[str, Any] | None = field(default=None, repr=False)
    """`tags` and `properties` of the device's twin to begin with; None if there are none."""
    issuance: IssuancePolicy | None = None
    """For certificates that its devices ask for; None if none are issued."""
    enabled: bool = True
    others: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Members without effect on the emulator, such as `capabilities`."""
    etag: str = field(default="", compare=False)
    """With quotes; empty until it is stored."""
    created: float = field(default=0.0, compare=False)
    """Seconds since 1970; 0 until it is stored."""
    updated: float = field(default=0.0, compare=False)
    """Seconds since 1970; 0 until it is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndividualEnrollment(_Terms):
    """An enrollment of one device."""

    registration_id: str
    """Any casing of it is the same device."""
    attestation: ClientCertificates | SymmetricKeys | TpmKeys
    device_id: str | None = None
    """Its id at the IoT Hub; None for the registration id."""

    @property
    def id(self) -> str:
        """The registration id."""
        return self.registration_id

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
        issuance: IssuancePolicy | None = None,
    ) -> Self:
        """Enroll a device by its own certificate.

        Args:
            registration_id: The certificate's CN.
            certificate: PEM, DER, or base64 of either.
            secondary: Another one, for roll-over; None if there is none.
            device_id: Its id at the IoT Hub; None for the registration id.
            hub: Host name of its IoT Hub, linked to the instance; None to choose one.
            enabled: Whether it may register.
            issuance: For a certificate that it asks for; None if it gets none.

        Raises:
            CertificateError: If a certificate cannot be read.
        """
        return cls(
            registration_id=registration_id,
            attestation=ClientCertificates.of(certificate, secondary),
            device_id=device_id,
            allocation=_to(hub),
            enabled=enabled,
            issuance=issuance,
        )

    def to_json(self) -> dict[str, Any]:
        """Write the enrollment as the service API takes it, with its keys and certificates."""
        device_id = {} if self.device_id is None else {"deviceId": self.device_id}
        return {"registrationId": self.registration_id, **device_id, **_terms_to_json(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentGroup(_Terms):
    """An enrollment of all devices that share a CA or a symmetric key."""

    enrollment_group_id: str
    attestation: SigningCertificates | CaReferences | SymmetricKeys

    @property
    def id(self) -> str:
        """The enrollment group id."""
        return self.enrollment_group_id

    @classmethod
    def signed_by(
        cls,
        certificate: x509.Certificate | str | bytes,
        *,
        enrollment_group_id: str,
        secondary: x509.Certificate | str | bytes | None = None,
        hub: str | None = None,
        enabled: bool = True,
        issuance: IssuancePolicy | None = None,
    ) -> Self:
        """Enroll the devices of a CA, root or intermediate.

        Args:
            certificate: The CA's: PEM, DER, or base64 of either. A CA above it, or itself, must
                be verified on the instance.
            enrollment_group_id: Name of the group.
            secondary: Another CA, for roll-over; None if there is none.
            hub: Host name of their IoT Hub, linked to the instance; None to choose one for each.
            enabled: Whether they may register.
            issuance: For certificates that they ask for; None if they get none.

        Raises:
            CertificateError: If a certificate cannot be read.
        """
        return cls(
            enrollment_group_id=enrollment_group_id,
            attestation=SigningCertificates.of(certificate, secondary),
            allocation=_to(hub),
            enabled=enabled,
            issuance=issuance,
        )

    @classmethod
    def of_ca(
        cls,
        name: str,
        *,
        enrollment_group_id: str,
        hub: str | None = None,
        enabled: bool = True,
        issuance: IssuancePolicy | None = None,
    ) -> Self:
        """Enroll the devices of a CA certificate of the instance, by its name there."""
        return cls(
            enrollment_group_id=enrollment_group_id,
            attestation=CaReferences(primary=name),
            allocation=_to(hub),
            enabled=enabled,
            issuance=issuance,
        )

    def to_json(self) -> dict[str, Any]:
        """Write the enrollment as the service API takes it, with its keys and certificates."""
        return {"enrollmentGroupId": self.enrollment_group_id, **_terms_to_json(self)}


Enrollment: TypeAlias = IndividualEnrollment | EnrollmentGroup


def _terms_to_json(terms: Enrollment) -> dict[str, Any]:
    """Write the fields of both kinds; what is not set is left out."""
    allocation, custom = terms.allocation, terms.custom_allocation
    status = ProvisioningStatus.ENABLED if terms.enabled else ProvisioningStatus.DISABLED
    document = {
        "attestation": mechanism_to_json(terms.attestation),
        "provisioningStatus": status.value,
        "reprovisionPolicy": terms.reprovision_policy.to_json(),
        "allocationPolicy": allocation.policy and allocation.policy.value,
        "iotHubHostName": allocation.hub,
        "iotHubs": list(allocation.hubs) or None,
        "customAllocationDefinition": custom and custom.to_json(),
        "initialTwin": terms.initial_twin,
        **(terms.issuance.to_json() if terms.issuance else {}),
        **terms.others,
        "etag": terms.etag or None,
        "createdDateTimeUtc": (terms.created and timestamp(terms.created)) or None,
        "lastUpdatedDateTimeUtc": (terms.updated and timestamp(terms.updated)) or None,
    }
    return {name: value for name, value in document.items() if value is not None}


def _to(hub: str | None) -> Allocation:
    return Allocation() if hub is None else Allocation(policy=AllocationPolicy.STATIC, hub=hub)
