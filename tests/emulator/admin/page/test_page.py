"""The page as a whole."""

from __future__ import annotations

import re

import pytest
from tests.certificates import root, self_signed
from tests.emulator.admin.page.visitor import CONNECTION_STRING, Visitor
from tests.emulator.instance import instance, register, shown

from aiodps.emulator.admin.page.rendering import SECTIONS
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup, IndividualEnrollment

pytestmark = pytest.mark.anyio


async def test_the_overview_counts() -> None:
    """What there is, and what is needed to connect."""
    lamp = self_signed("device-1")
    service = instance(
        IndividualEnrollment.x509(registration_id="device-1", certificate=lamp.certificate),
        EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="line"),
        verified=[root()],
    )
    register(service, shown(lamp))
    page = await Visitor(service).get("/")

    for words in (
        "1 Individual",
        "1 Enrollment groups",
        "1 Certificates",
        "1 Linked IoT hubs",
        "1 Registrations",
    ):
        assert words in page

    assert CONNECTION_STRING in page
    assert "8443" in page


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
async def test_every_section_is_there_and_asks_nobody_else(section: object) -> None:
    """Also when there is nothing to show; nothing comes from elsewhere, no script is inline."""
    answer = await Visitor().ask("GET", section.path)  # type: ignore[attr-defined]

    assert answer.status_code == 200
    html = bytes(answer.body).decode()
    assert not re.search(r'(src|href|action)="(https?:)?//', html)
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", html)


async def test_the_ca() -> None:
    """To be saved as a file."""
    answer = await Visitor().ask("GET", "/ca.pem")

    assert (answer.body, answer.media_type) == (
        b"-----BEGIN CERTIFICATE-----",
        "application/x-pem-file",
    )


@pytest.mark.parametrize("name", ["page.css", "page.js", "icon.svg"])
async def test_what_it_looks_like(name: str) -> None:
    """Style and script come from here."""
    answer = await Visitor().ask("GET", f"/static/{name}")

    assert answer.status_code == 200
    assert len(answer.body) > 100
