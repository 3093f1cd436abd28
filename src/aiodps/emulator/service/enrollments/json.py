"""Enrollments as JSON, in files, stores and the service API.

Source of the JSON shapes: Microsoft's REST reference of the DPS service API,
`IndividualEnrollment` and `EnrollmentGroup`. Members without effect on the emulator are kept and
written back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiodps.emulator.protocol import api_versions
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import is_registration_id
from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.emulator.service.enrollments.allocation import Allocation, AllocationPolicy
from aiodps.emulator.service.enrollments.enrollment import (
    CustomAllocation,
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
    ProvisioningStatus,
    ReprovisionPolicy,
)
from aiodps.emulator.service.enrollments.issuance import MEMBERS as ISSUANCE
from aiodps.emulator.service.enrollments.issuance import IssuancePolicy
from aiodps.emulator.service.enrollments.mechanisms import (
    CaReferences,
    ClientCertificates,
    Mechanism,
    SigningCertificates,
    SymmetricKeys,
    TpmKeys,
    mechanism_to_json,
    read_mechanism,
)


def read_enrollment(document: Mapping[str, Any], *, source: str) -> Enrollment:
    """Read one enrollment; `enrollmentGroupId` makes it a group.

    Args:
        document: A JSON object.
        source: What error messages call it.

    Raises:
        ConfigurationError: If it cannot be read; the message names the enrollment and the member.
    """
    names = ("registrationId", "enrollmentGroupId")
    given = [name for name in names if document.get(name) is not None]
    if len(given) != 1:
        raise JsonObject(document, source).error("", f"has {len(given)} of {' and '.join(names)}")

    members = JsonObject(document, f"{source} ({given[0]} {document[given[0]]!a})")
    if given[0] == "enrollmentGroupId":
        return _read_group(members)

    return _read_individual(members)


def _read_individual(members: JsonObject) -> IndividualEnrollment:
    registration_id = members.required_string("registrationId")
    if not is_registration_id(registration_id):
        raise members.error("registrationId", "is not a registration id")

    attestation = read_mechanism(members)
    if isinstance(attestation, SigningCertificates | CaReferences):
        raise members.error("attestation", "is for groups; clientCertificates are needed")

    return IndividualEnrollment(
        registration_id=registration_id,
        attestation=attestation,
        device_id=members.string("deviceId"),
        **_read_terms(members),
    )


def _read_group(members: JsonObject) -> EnrollmentGroup:
    attestation = read_mechanism(members)
    if isinstance(attestation, TpmKeys):
        raise members.error("attestation", "is a TPM, which is for individual enrollments")

    if isinstance(attestation, ClientCertificates):
        raise members.error(
            "attestation",
            "is for individual enrollments; signingCertificates or caReferences are needed",
        )

    return EnrollmentGroup(
        enrollment_group_id=members.required_string("enrollmentGroupId"),
        attestation=attestation,
        **_read_terms(members),
    )


def _read_terms(members: JsonObject) -> dict[str, Any]:
    """Read the fields of both kinds."""
    custom = members.object("customAllocationDefinition")
    reprovision = members.object("reprovisionPolicy") or JsonObject({}, members.source)
    twin = members.object("initialTwin")
    status = members.word("provisioningStatus", ProvisioningStatus)
    _check_others(members)
    others = {
        name: value
        for name, value in members.document.items()
        if name not in _READ and value is not None
    }
    return {
        "allocation": Allocation(
            policy=members.word("allocationPolicy", AllocationPolicy),
            hub=members.string("iotHubHostName"),
            hubs=members.strings("iotHubs"),
        ),
        "custom_allocation": None if custom is None else CustomAllocation.read(custom),
        "reprovision_policy": ReprovisionPolicy.read(reprovision),
        "initial_twin": None if twin is None else dict(twin.document),
        "issuance": IssuancePolicy.read(members),
        "enabled": status != ProvisioningStatus.DISABLED,
        "others": others,
        "etag": members.string("etag") or "",
        "created": members.time("createdDateTimeUtc") or 0.0,
        "updated": members.time("lastUpdatedDateTimeUtc") or 0.0,
    }


def _check_others(members: JsonObject) -> None:
    """Check members without effect that the service would refuse in another form."""
    members.object("optionalDeviceInformation")
    capabilities = members.object("capabilities")
    if capabilities is not None:
        capabilities.required_flag("iotEdge")

    if len(members.strings("deviceTypeRefs")) > 1:
        raise members.error("deviceTypeRefs", "has more than one device type")


API_VERSIONS: Final = api_versions.API_VERSIONS - {"2021-06-01"}
"""Versions of the service API: those of the device API, except one."""

_SINCE: Final = {
    "allocationPolicy": "2018-09-01",
    "iotHubs": "2018-09-01",
    "customAllocationDefinition": "2018-09-01",
    "reprovisionPolicy": "2018-09-01",
    "capabilities": "2018-09-01",
    "credentialPolicyName": "2025-07-01",
    "namespaceName": "2026-11-01",
    "certificateAuthorityName": "2026-11-01",
    "certificatePolicyName": "2026-11-01",
    "deviceTypeRefs": "2026-11-02",
}
_UNTIL: Final = {"credentialPolicyName": "2026-11-01"}
_ORDER: Final = (
    "registrationId",
    "enrollmentGroupId",
    "deviceId",
    "optionalDeviceInformation",
    "attestation",
    "capabilities",
    "iotHubHostName",
    "initialTwin",
    "etag",
    "provisioningStatus",
    "reprovisionPolicy",
    "createdDateTimeUtc",
    "lastUpdatedDateTimeUtc",
    "allocationPolicy",
    "iotHubs",
    "customAllocationDefinition",
)
"""As the service writes them (Microsoft Learn, "How to use custom allocation policies")."""
_IGNORED: Final = {"optionalDeviceInformation", "capabilities"}
"""Those without effect on the emulator."""
_READ: Final = {*_ORDER, *ISSUANCE, "registrationState"} - _IGNORED
"""The state is not an enrollment's own."""
_PLACES: Final = {name: place for place, name in enumerate(_ORDER)}


def check_members(document: Mapping[str, Any], *, api_version: str) -> None:
    """Refuse members of Azure Device Registry that a version does not have.

    Others are ignored, because clients send what newer versions show.

    Raises:
        Refusal: 400, with the service's words for a member that it does not know.
    """
    registry = {*ISSUANCE, "deviceTypeRefs"}
    given = {name for name in registry & document.keys() if document[name] is not None}
    for name in sorted(given - known_members(document, api_version=api_version).keys()):
        raise Refusal(
            ErrorCode.DESERIALIZATION,
            "Deserialization error",
            why=f"api-version {api_version} does not have {name}",
        )


def known_members(document: Mapping[str, Any], *, api_version: str) -> dict[str, Any]:
    """Leave out the members that a version does not have."""
    return {
        name: value
        for name, value in document.items()
        if _SINCE.get(name, "") <= api_version
        and (name not in _UNTIL or api_version < _UNTIL[name])
    }


def show_enrollment(enrollment: Enrollment, *, api_version: str, keys: bool) -> dict[str, Any]:
    """Write an enrollment as the service API shows it.

    Args:
        enrollment: As stored.
        api_version: One of `API_VERSIONS`.
        keys: Include symmetric keys. Clients rely on them in the response to a PUT and in
            attestation mechanisms; elsewhere they are left out (seen on the wire).
    """
    document = {
        "capabilities": {"iotEdge": False},
        **enrollment.to_json(),
        "attestation": show_mechanism(enrollment.attestation, keys=keys),
    }
    ordered = sorted(document, key=lambda name: _PLACES.get(name, len(_PLACES)))
    return known_members({name: document[name] for name in ordered}, api_version=api_version)


def show_mechanism(mechanism: Mechanism, *, keys: bool) -> dict[str, Any]:
    """Write an attestation mechanism as the service API shows it, with `info` of certificates."""
    match mechanism:
        case ClientCertificates() | SigningCertificates():
            return mechanism.to_json(lambda each: {"info": each.info})
        case SymmetricKeys() if not keys:
            return {"type": "symmetricKey"}
        case _:
            return mechanism_to_json(mechanism)
