"""Registrations and requests, put into rows and words."""

from __future__ import annotations

from tests.certificates import self_signed
from tests.emulator.admin.page.test_recent_requests import asked
from tests.emulator.instance import NOW, instance, register, shown

from aiodps.emulator.admin.page import registration_views as views
from aiodps.emulator.admin.page.recent_requests import RecentRequests
from aiodps.emulator.request_log.log import RequestLog
from aiodps.emulator.service.enrollments.enrollment import IndividualEnrollment

LAMP = self_signed("lamp")


def test_a_registration_at_work() -> None:
    """It is assigning until its time has come."""
    enrollment = IndividualEnrollment.x509(registration_id="lamp", certificate=LAMP.certificate)
    service = instance(enrollment, assign_after=5)
    register(service, shown(LAMP), registration_id="lamp")

    early, late = (
        views.registration_rows(service, RecentRequests(), ["LAMP"], now=NOW + seconds)[0]
        for seconds in (4, 6)
    )
    assert (early.status, early.tone, early.hub) == ("assigning", "busy", "")
    assert (late.status, late.tone, late.deletable) == ("assigned", "good", True)
    assert early.row_id == late.row_id


def test_the_story_of_a_device() -> None:
    """All that the request log has of it in any casing, newest first, numbered as there."""
    log = RequestLog()
    for name, status in (("lamp", 202), ("press", 202), ("LAMP", 401), (None, 404)):
        log.record(asked(name, status))

    steps = views.story(log, "Lamp")
    assert [(step.number, step.exchange.status_code) for step in steps] == [(3, 401), (1, 202)]


def test_the_facts_of_a_registration() -> None:
    """None before it registers; then hub, device id and operation."""
    service = instance(
        IndividualEnrollment.x509(registration_id="lamp", certificate=LAMP.certificate)
    )
    row = views.registration_row(service, [], "lamp", now=NOW)
    assert views.registration_facts(service, row) == {}

    accepted = register(service, shown(LAMP), registration_id="lamp")
    row = views.registration_row(service, [], "lamp", now=NOW)
    facts = views.registration_facts(service, row)
    assert facts["Operation id"] == accepted.body["operationId"]
    assert (facts["Assigned hub"], facts["Attestation"]) == (row.hub, "x509")
    assert facts["Substatus"] == "initialAssignment"
