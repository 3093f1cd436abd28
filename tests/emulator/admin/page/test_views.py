"""The instance, put into rows and words."""

from __future__ import annotations

import json

import pytest
from tests.certificates import root, self_signed
from tests.emulator.instance import NOW, instance, register, shown
from tests.emulator.service.issuance.requests import POLICY, csr

from aiodps.emulator.admin.page import registration_views, views
from aiodps.emulator.admin.page.recent_requests import RecentRequests
from aiodps.emulator.service.enrollments.enrollment import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
)
from aiodps.emulator.service.enrollments.json import read_enrollment

LAMP = self_signed("lamp")


@pytest.mark.parametrize(
    ("enrollment", "attestation", "attested_by"),
    [
        (
            IndividualEnrollment.x509(registration_id="lamp", certificate=LAMP.certificate),
            "X.509 certificate",
            "CN=lamp",
        ),
        (
            EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="lamp"),
            "X.509, signed by a CA",
            root().certificate.subject.rfc4514_string(),
        ),
        (
            EnrollmentGroup.of_ca("my-root", enrollment_group_id="lamp"),
            "X.509, CA of this instance",
            "my-root",
        ),
        (
            read_enrollment(
                {"registrationId": "lamp", "attestation": {"type": "symmetricKey"}}, source=""
            ),
            "Symmetric key",
            "",
        ),
    ],
)
def test_enrollments(enrollment: Enrollment, attestation: str, attested_by: str) -> None:
    """Each kind in its own words."""
    row = views.enrollment_row(enrollment)

    assert (row.id, row.attestation, row.attested_by) == ("lamp", attestation, attested_by)
    assert row.hub == "hashed"


def test_a_certificate_for_a_device() -> None:
    """The policy is among the facts of the enrollment, the end of the certificate in the row."""
    enrollment = IndividualEnrollment.x509(
        registration_id="lamp", certificate=LAMP.certificate, issuance=POLICY
    )
    service = instance(enrollment)
    body = json.dumps({"csr": csr("lamp")}).encode()
    register(service, shown(LAMP), registration_id="lamp", api_version="2026-11-01", body=body)
    (row,) = registration_views.registration_rows(service, RecentRequests(), ["lamp"], now=NOW)

    facts = views.enrollment_facts(enrollment)
    assert facts["Certificates"] == "issued by my-namespace / ca-1 / thirty-days"
    assert '"certificatePolicyName": "thirty-days"' in views.enrollment_document(enrollment)
    assert row.certificate.endswith(" UTC")
