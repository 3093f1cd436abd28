"""How the service API shows enrollments: by version, and with secrets only where they belong.

Source: Microsoft's REST reference of the DPS service API and the published specifications of its
versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiodps.emulator.service import api_versions
from aiodps.emulator.service.enrollment import Enrollment
from aiodps.emulator.service.mechanisms import (
    ClientCertificates,
    Mechanism,
    SigningCertificates,
    SymmetricKeys,
    mechanism_to_json,
)

API_VERSIONS: Final = api_versions.API_VERSIONS - {"2021-06-01"}
"""Versions of the service API: those of the device API but for one that only devices have."""

_SINCE: Final = {
    "allocationPolicy": "2018-09-01",
    "iotHubs": "2018-09-01",
    "customAllocationDefinition": "2018-09-01",
    "reprovisionPolicy": "2018-09-01",
    "capabilities": "2018-09-01",
    "credentialPolicyName": "2025-07-01",
    "namespaceName": "2026-11-02",
    "certificateAuthorityName": "2026-11-02",
    "certificatePolicyName": "2026-11-02",
}
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
_PLACES: Final = {name: place for place, name in enumerate(_ORDER)}
_UNTIL: Final = {"credentialPolicyName": "2026-11-02"}


def known_members(document: Mapping[str, Any], *, api_version: str) -> dict[str, Any]:
    """Leave out the members that a version does not know; versions sort as texts."""
    return {
        name: value
        for name, value in document.items()
        if _SINCE.get(name, "") <= api_version
        and (name not in _UNTIL or api_version < _UNTIL[name])
    }


def show_enrollment(enrollment: Enrollment, *, api_version: str, keys: bool) -> dict[str, Any]:
    """Show an enrollment.

    Args:
        enrollment: Of an instance.
        api_version: One of `API_VERSIONS`.
        keys: Whether symmetric keys are shown. Clients rely on them in the answer to a PUT and
            in attestation mechanisms; elsewhere they are left out (seen on the wire).
    """
    document = {
        "capabilities": {"iotEdge": False},
        **enrollment.to_json(),
        "attestation": show_mechanism(enrollment.attestation, keys=keys),
    }
    ordered = sorted(document, key=lambda name: _PLACES.get(name, len(_PLACES)))
    return known_members({name: document[name] for name in ordered}, api_version=api_version)


def show_mechanism(mechanism: Mechanism, *, keys: bool) -> dict[str, Any]:
    """Show an attestation mechanism: of certificates what they say, not the certificates."""
    match mechanism:
        case ClientCertificates():
            return _show_certificates("clientCertificates", mechanism)
        case SigningCertificates():
            return _show_certificates("signingCertificates", mechanism)
        case SymmetricKeys() if not keys:
            return {"type": "symmetricKey"}
        case _:
            return mechanism_to_json(mechanism)


def _show_certificates(
    kind: str, mechanism: ClientCertificates | SigningCertificates
) -> dict[str, Any]:
    pair = {"primary": mechanism.primary, "secondary": mechanism.secondary}
    shown = {name: {"info": each.info} for name, each in pair.items() if each is not None}
    return {"type": "x509", "x509": {kind: shown}}
