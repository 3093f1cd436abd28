"""One enrollment: what it says, and how it is written."""

from __future__ import annotations

import pytest
from tests.certificates import certify, root

from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.emulator.service.enrollments.allocation import AllocationPolicy
from aiodps.emulator.service.enrollments.enrollment import (
    CustomAllocation,
    EnrollmentGroup,
    IndividualEnrollment,
    ReprovisionPolicy,
)
from aiodps.emulator.service.enrollments.mechanisms import ClientCertificates, SigningCertificates
from aiodps.errors import CertificateError, ConfigurationError

CERTIFICATE = certify().certificate


def test_a_device_by_its_certificate() -> None:
    """And another one for roll-over; a hub that is named is the only one."""
    enrollment = IndividualEnrollment.x509(
        registration_id="device-1", certificate=CERTIFICATE, secondary=CERTIFICATE, hub="h"
    )

    assert isinstance(enrollment.attestation, ClientCertificates)
    assert enrollment.attestation.primary == enrollment.attestation.secondary
    assert enrollment.allocation.policy is AllocationPolicy.STATIC
    assert enrollment.allocation.named == ("h",)


def test_devices_by_their_ca() -> None:
    """By the certificate, or by the name it has on the instance."""
    signed = EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="g")
    named = EnrollmentGroup.of_ca("root", enrollment_group_id="g", enabled=False)

    assert isinstance(signed.attestation, SigningCertificates)
    assert named.to_json() == {
        "enrollmentGroupId": "g",
        "attestation": {"type": "x509", "x509": {"caReferences": {"primary": "root"}}},
        "provisioningStatus": "disabled",
        "reprovisionPolicy": {"updateHubAssignment": True, "migrateDeviceData": True},
    }


def test_etag_and_dates_do_not_make_a_difference() -> None:
    """What an enrollment says is what it is compared by."""
    one = EnrollmentGroup.of_ca("root", enrollment_group_id="g")

    assert one == EnrollmentGroup(
        enrollment_group_id="g", attestation=one.attestation, etag='"1"', created=1.0, updated=2.0
    )


def test_a_certificate_that_cannot_be_read() -> None:
    """In Python it is the certificate that is at fault."""
    with pytest.raises(CertificateError):
        IndividualEnrollment.x509(registration_id="a", certificate=b"nonsense")


def test_by_default_devices_move_with_their_data() -> None:
    """Source: Microsoft Learn, "IoT Hub Device reprovisioning concepts"."""
    policy = ReprovisionPolicy.read(JsonObject({"migrateDeviceData": None}, "enrollment 0"))

    assert policy == ReprovisionPolicy(update_hub_assignment=True, migrate_device_data=True)


@pytest.mark.parametrize("update", [True, False])
@pytest.mark.parametrize("migrate", [True, False])
def test_policies_there_and_back(*, update: bool, migrate: bool) -> None:
    """What is written can be read."""
    policy = ReprovisionPolicy(update_hub_assignment=update, migrate_device_data=migrate)

    assert ReprovisionPolicy.read(JsonObject(policy.to_json(), "enrollment 0")) == policy


def test_webhooks_there_and_back() -> None:
    """What is written can be read, and the URL's key is not shown."""
    webhook = CustomAllocation(webhook_url="https://h/?code=secret", api_version="2021-10-01")

    assert CustomAllocation.read(JsonObject(webhook.to_json(), "enrollment 0")) == webhook
    assert "secret" not in repr(webhook)


@pytest.mark.parametrize("name", ["webhookUrl", "apiVersion"])
def test_a_webhook_needs_both(name: str) -> None:
    """Source: both are required in `CustomAllocationDefinition`."""
    document = {"webhookUrl": "https://h", "apiVersion": "2021-10-01"} | {name: None}
    with pytest.raises(ConfigurationError, match=f"{name} is missing"):
        CustomAllocation.read(JsonObject(document, "enrollment 0"))
