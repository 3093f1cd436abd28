"""An enrollment: which device may register, or which devices, and where they belong.

Source of the JSON shapes: Microsoft's REST reference of the DPS service API,
`IndividualEnrollment` and `EnrollmentGroup`. Members that decide nothing here are kept and written
back as they were.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

from cryptography import x509

from aiodps.emulator.service.allocation import Allocation, AllocationPolicy
from aiodps.emulator.service.identifiers import is_registration_id
from aiodps.emulator.service.json_members import Members
from aiodps.emulator.service.mechanisms import (
    CaReferences,
    ClientCertificates,
    EnrolledCertificate,
    SigningCertificates,
    SymmetricKeys,
    mechanism_to_json,
    read_mechanism,
)

_READ = {
    "registrationId",
    "enrollmentGroupId",
    "attestation",
    "deviceId",
    "provisioningStatus",
    "allocationPolicy",
    "iotHubHostName",
    "iotHubs",
}


class _ProvisioningStatus(enum.StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndividualEnrollment:
    """Lets one device in."""

    registration_id: str
    """Any casing of it is the same device."""
    attestation: ClientCertificates | SymmetricKeys
    device_id: str | None = None
    """Its id at the IoT Hub; None for the registration id."""
    allocation: Allocation = field(default_factory=Allocation)
    enabled: bool = True
    others: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Members that decide nothing here, such as `initialTwin`."""

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
        """Write the enrollment as the service API does."""
        names = {"registrationId": self.registration_id}
        if self.device_id is not None:
            names["deviceId"] = self.device_id

        return names | _common_to_json(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollmentGroup:
    """Lets in every device that shares a credential."""

    enrollment_group_id: str
    attestation: SigningCertificates | CaReferences | SymmetricKeys
    allocation: Allocation = field(default_factory=Allocation)
    enabled: bool = True
    others: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Members that decide nothing here, such as `initialTwin`."""

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
        """Write the enrollment as the service API does."""
        return {"enrollmentGroupId": self.enrollment_group_id} | _common_to_json(self)


Enrollment: TypeAlias = IndividualEnrollment | EnrollmentGroup


def read_enrollment(document: Mapping[str, Any], *, place: str) -> Enrollment:
    """Read one enrollment; `enrollmentGroupId` makes it a group.

    Args:
        document: A JSON object.
        place: What to call it in messages.

    Raises:
        ConfigurationError: If it cannot be read; the message names place and member.
    """
    names = ("registrationId", "enrollmentGroupId")
    given = [name for name in names if document.get(name) is not None]
    if len(given) != 1:
        raise Members(document, place).fault("", f"has {len(given)} of {' and '.join(names)}")

    members = Members(document, f"{place} ({given[0]} {document[given[0]]!a})")
    others = {name: value for name, value in document.items() if name not in _READ}
    if given[0] == "enrollmentGroupId":
        return _read_group(members, others)

    return _read_individual(members, others)


def _read_individual(members: Members, others: Mapping[str, Any]) -> IndividualEnrollment:
    registration_id = members.required_text("registrationId")
    if not is_registration_id(registration_id):
        raise members.fault("registrationId", "cannot be a registration id")

    attestation = read_mechanism(members)
    if not isinstance(attestation, ClientCertificates | SymmetricKeys):
        raise members.fault("attestation", "is that of a group; clientCertificates are needed")

    return IndividualEnrollment(
        registration_id=registration_id,
        attestation=attestation,
        device_id=members.text("deviceId"),
        allocation=_read_allocation(members),
        enabled=_read_enabled(members),
        others=others,
    )


def _read_group(members: Members, others: Mapping[str, Any]) -> EnrollmentGroup:
    attestation = read_mechanism(members)
    if isinstance(attestation, ClientCertificates):
        raise members.fault(
            "attestation", "is that of one device; signingCertificates or caReferences are needed"
        )

    return EnrollmentGroup(
        enrollment_group_id=members.required_text("enrollmentGroupId"),
        attestation=attestation,
        allocation=_read_allocation(members),
        enabled=_read_enabled(members),
        others=others,
    )


def _read_allocation(members: Members) -> Allocation:
    return Allocation(
        policy=members.word("allocationPolicy", AllocationPolicy),
        hub=members.text("iotHubHostName"),
        hubs=members.texts("iotHubs"),
    )


def _read_enabled(members: Members) -> bool:
    return members.word("provisioningStatus", _ProvisioningStatus) != _ProvisioningStatus.DISABLED


def _common_to_json(enrollment: Enrollment) -> dict[str, Any]:
    allocation = enrollment.allocation
    status = _ProvisioningStatus.ENABLED if enrollment.enabled else _ProvisioningStatus.DISABLED
    document: dict[str, Any] = {
        "attestation": mechanism_to_json(enrollment.attestation),
        "provisioningStatus": status.value,
    }
    if allocation.policy is not None:
        document["allocationPolicy"] = allocation.policy.value

    if allocation.hub is not None:
        document["iotHubHostName"] = allocation.hub

    if allocation.hubs:
        document["iotHubs"] = list(allocation.hubs)

    return document | dict(enrollment.others)


def _to(hub: str | None) -> Allocation:
    return Allocation() if hub is None else Allocation(policy=AllocationPolicy.STATIC, hub=hub)
