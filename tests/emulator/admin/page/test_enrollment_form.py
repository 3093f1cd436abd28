"""The form of an enrollment, and the JSON that it stands for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.certificates import root, self_signed

from aiodps.emulator.admin.forms import Form
from aiodps.emulator.admin.page.enrollment_form import (
    GROUP,
    INDIVIDUAL,
    document_of,
    field_of,
    form_of,
    keep_files,
)
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.service.enrollments.enrollment import Enrollment, EnrollmentGroup
from aiodps.emulator.service.enrollments.json import read_enrollment
from aiodps.errors import ConfigurationError

HUBS = ("hub-1.azure-devices.net", "hub-2.azure-devices.net")
LAMP = self_signed("lamp").certificate_pem.decode()
KEYS = {"type": "symmetricKey", "symmetricKey": {"primaryKey": "A" * 24, "secondaryKey": "B" * 24}}
CERTIFICATES = {"clientCertificates": {slot: {"certificate": LAMP} for slot in ("primary",)}}
WEBHOOK = {"webhookUrl": "https://a.example/?code=k", "apiVersion": "2021-10-01"}
NEVER = {"updateHubAssignment": False, "migrateDeviceData": True}
EVERYTHING: dict[str, Any] = {
    "registrationId": "lamp",
    "deviceId": "lamp-7",
    "attestation": KEYS,
    "provisioningStatus": "disabled",
    "reprovisionPolicy": NEVER,
    "allocationPolicy": "custom",
    "customAllocationDefinition": WEBHOOK,
    "iotHubs": list(HUBS),
    "initialTwin": {"tags": {"hall": 4}, "properties": {"desired": {"n": 1.5}}},
    "namespaceName": "my-namespace",
    "certificateAuthorityName": "ca-1",
    "certificatePolicyName": "thirty-days",
    "capabilities": {"iotEdge": True},
    "optionalDeviceInformation": {"a": 1},
}


def read(document: dict[str, Any]) -> Enrollment:
    """Read an enrollment."""
    return read_enrollment(document, source="")


def saved(enrollment: Enrollment, **changed: str) -> dict[str, Any]:
    """Open the form of an enrollment, change fields, and save it."""
    kind = GROUP if isinstance(enrollment, EnrollmentGroup) else INDIVIDUAL
    form = form_of(enrollment)
    form = Form(fields={**form.fields, **changed})
    document = document_of(form, kind, hubs=HUBS, older=enrollment)
    return read(document).to_json()


@pytest.mark.parametrize(
    "document",
    [
        EVERYTHING,
        {"registrationId": "lamp", "attestation": {"type": "x509", "x509": CERTIFICATES}},
        {
            "registrationId": "lamp",
            "attestation": {"type": "tpm", "tpm": {"endorsementKey": "QUJD"}},
            "allocationPolicy": "hashed",
            "credentialPolicyName": "old",
        },
        {
            "enrollmentGroupId": "line",
            "attestation": {"type": "x509", "x509": {"caReferences": {"secondary": "my-root"}}},
            "allocationPolicy": "static",
            "iotHubs": [HUBS[1]],
        },
    ],
    ids=["everything", "x509", "tpm", "caReferences"],
)
def test_what_is_saved_unchanged_is_unchanged(document: dict[str, Any]) -> None:
    """Every member comes back, also those that the form does not show."""
    enrollment = read(document)

    assert saved(enrollment) == enrollment.to_json()


@pytest.mark.parametrize(
    ("field", "value", "member", "expected"),
    [
        ("enabled", "yes", "provisioningStatus", "enabled"),
        ("device_id", "", "deviceId", None),
        ("allocation", "geoLatency", "allocationPolicy", "geoLatency"),
        ("allocation", "", "allocationPolicy", None),
        (f"hub:{HUBS[0]}", "", "iotHubs", [HUBS[1]]),
        ("edge", "", "capabilities", {"iotEdge": False}),
        ("twin", "", "initialTwin", None),
        ("twin", '{"tags": {}}', "initialTwin", {"tags": {}}),
        (
            "reprovision",
            "reset",
            "reprovisionPolicy",
            {"updateHubAssignment": True, "migrateDeviceData": False},
        ),
    ],
)
def test_one_field_changes_one_member(
    field: str, value: str, member: str, expected: object
) -> None:
    """And nothing else."""
    enrollment = read(EVERYTHING)
    before, after = enrollment.to_json(), saved(enrollment, **{field: value})

    assert after.pop(member, None) == expected
    del before[member]
    assert after == before


def test_keys() -> None:
    """One is typed, one is generated; empty ones stay."""
    enrollment = read(EVERYTHING)
    keys = saved(enrollment, primary_key="C" * 24, new_secondary_key="yes")
    keys = keys["attestation"]["symmetricKey"]

    assert keys["primaryKey"] == "C" * 24
    assert len(keys["secondaryKey"]) == 88


def test_a_policy_of_three_names_replaces_that_of_one() -> None:
    """They do not belong together."""
    enrollment = read(
        {"registrationId": "lamp", "attestation": KEYS, "credentialPolicyName": "old"}
    )
    names = {
        "namespaceName": "n-1",
        "certificateAuthorityName": "ca",
        "certificatePolicyName": "p",
    }
    after = saved(enrollment, **names)

    assert "credentialPolicyName" not in after
    assert names.items() <= after.items()


def test_certificates_are_replaced_and_removed() -> None:
    """A second one for roll-over, then the first goes; the last one cannot."""
    enrollment = read(
        {"registrationId": "lamp", "attestation": {"type": "x509", "x509": CERTIFICATES}}
    )
    both = saved(enrollment, secondary_pem=root().certificate_pem.decode())
    alone = saved(read(both), remove_primary="yes")
    pair = alone["attestation"]["x509"]["clientCertificates"]

    assert pair == {"secondary": both["attestation"]["x509"]["clientCertificates"]["secondary"]}
    with pytest.raises(ConfigurationError, match="choose the primary certificate"):
        saved(read(alone), remove_secondary="yes")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "initialTwin is not JSON in line 1, column 2"),
        ("NaN", "not a number of JSON"),
        ("[1]", "initialTwin is not an object"),
    ],
)
def test_a_twin_that_is_not_json(text: str, reason: str) -> None:
    """It is said where."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        saved(read(EVERYTHING), twin=text)

    assert field_of(caught.value) == "twin"


def test_files_are_kept_over_an_error() -> None:
    """As PEM in a field; what is not a certificate is not."""
    form = Form(fields={"id": "lamp", "secondary_pem": "no"}, files={"primary": LAMP.encode()})
    kept = keep_files(form)

    assert kept.text("primary_pem") == LAMP.strip()
    assert (kept.text("id"), kept.text("secondary_pem"), kept.files) == ("lamp", "", {})


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (Refusal(ErrorCode.INVALID_REQUEST, "Invalid registrationId."), "id"),
        (Refusal(ErrorCode.BAD_REQUEST, "The allocation policy 'static' needs one"), "allocation"),
        (Refusal(ErrorCode.BAD_REQUEST, "namespaceName is not 3 to 64 letters"), "namespaceName"),
        (ConfigurationError("no", setting="secondary"), "secondary"),
        (
            ConfigurationError("symmetricKey.primaryKey is not", setting="enrollments"),
            "primary_key",
        ),
        (ConfigurationError("other", setting="enrollments"), ""),
    ],
)
def test_the_field_of_an_error(error: Refusal | ConfigurationError, field: str) -> None:
    """So that it can be marked."""
    assert field_of(error) == field
