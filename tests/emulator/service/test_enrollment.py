"""One enrollment: what it says, and how it is written."""

from __future__ import annotations

import pytest
from tests.certificates import certify, root

from aiodps.emulator.service.allocation import AllocationPolicy
from aiodps.emulator.service.enrollment import EnrollmentGroup, IndividualEnrollment
from aiodps.emulator.service.mechanisms import ClientCertificates, SigningCertificates
from aiodps.errors import CertificateError

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
