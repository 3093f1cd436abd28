"""Reading an enrollment from JSON, be it a file's, a store's or a request's.

Source of the JSON shapes: Microsoft's REST reference of the DPS service API,
`IndividualEnrollment` and `EnrollmentGroup`. Members that decide nothing here are kept and written
back as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiodps.emulator.service.allocation import Allocation, AllocationPolicy
from aiodps.emulator.service.enrollment import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
    ProvisioningStatus,
)
from aiodps.emulator.service.identifiers import is_registration_id
from aiodps.emulator.service.json_members import Members
from aiodps.emulator.service.mechanisms import (
    CaReferences,
    ClientCertificates,
    SigningCertificates,
    TpmKeys,
    read_mechanism,
)
from aiodps.emulator.service.policies import CustomAllocation, ReprovisionPolicy

_READ = {
    "registrationId",
    "enrollmentGroupId",
    "attestation",
    "deviceId",
    "provisioningStatus",
    "allocationPolicy",
    "iotHubHostName",
    "iotHubs",
    "customAllocationDefinition",
    "reprovisionPolicy",
    "initialTwin",
    "etag",
    "createdDateTimeUtc",
    "lastUpdatedDateTimeUtc",
    "registrationState",  # what came of it, not what it says
}


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
    if given[0] == "enrollmentGroupId":
        return _read_group(members)

    return _read_individual(members)


def _read_individual(members: Members) -> IndividualEnrollment:
    registration_id = members.required_text("registrationId")
    if not is_registration_id(registration_id):
        raise members.fault("registrationId", "cannot be a registration id")

    attestation = read_mechanism(members)
    if isinstance(attestation, SigningCertificates | CaReferences):
        raise members.fault("attestation", "is that of a group; clientCertificates are needed")

    return IndividualEnrollment(
        registration_id=registration_id,
        attestation=attestation,
        device_id=members.text("deviceId"),
        **_read_terms(members),
    )


def _read_group(members: Members) -> EnrollmentGroup:
    attestation = read_mechanism(members)
    if isinstance(attestation, TpmKeys):
        raise members.fault("attestation", "is a TPM's; one TPM is one device")

    if isinstance(attestation, ClientCertificates):
        raise members.fault(
            "attestation", "is that of one device; signingCertificates or caReferences are needed"
        )

    return EnrollmentGroup(
        enrollment_group_id=members.required_text("enrollmentGroupId"),
        attestation=attestation,
        **_read_terms(members),
    )


def _read_terms(members: Members) -> dict[str, Any]:
    """Read the fields of `_Terms`."""
    custom = members.members("customAllocationDefinition")
    reprovision = members.members("reprovisionPolicy") or Members({}, members.place)
    twin = members.members("initialTwin")
    status = members.word("provisioningStatus", ProvisioningStatus)
    _check_others(members)
    others = {
        name: value
        for name, value in members.document.items()
        if name not in _READ and value is not None
    }
    return {
        "allocation": _read_allocation(members),
        "custom_allocation": None if custom is None else CustomAllocation.read(custom),
        "reprovision_policy": ReprovisionPolicy.read(reprovision),
        "initial_twin": None if twin is None else dict(twin.document),
        "enabled": status != ProvisioningStatus.DISABLED,
        "others": others,
        "etag": members.text("etag") or "",
        "created": members.time("createdDateTimeUtc") or 0.0,
        "updated": members.time("lastUpdatedDateTimeUtc") or 0.0,
    }


def _check_others(members: Members) -> None:
    """Check the form of what decides nothing here, but would be refused by the service."""
    members.members("optionalDeviceInformation")
    capabilities = members.members("capabilities")
    if capabilities is not None:
        capabilities.flag("iotEdge")

    for name in ("credentialPolicyName", "namespaceName", "certificateAuthorityName"):
        members.text(name)


def _read_allocation(members: Members) -> Allocation:
    return Allocation(
        policy=members.word("allocationPolicy", AllocationPolicy),
        hub=members.text("iotHubHostName"),
        hubs=members.texts("iotHubs"),
    )
