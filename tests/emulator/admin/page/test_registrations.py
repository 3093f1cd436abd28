"""The sections of registrations and requests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from tests.certificates import self_signed
from tests.emulator.admin.page.test_recent_requests import asked
from tests.emulator.admin.page.visitor import Visitor
from tests.emulator.instance import HUB, instance, register, shown

from aiodps.emulator.admin.page import registration_views as views
from aiodps.emulator.admin.page.rendering import ROWS
from aiodps.emulator.request_log.log import Exchange
from aiodps.emulator.service.enrollments.enrollment import IndividualEnrollment

pytestmark = pytest.mark.anyio
LAMP = self_signed("lamp")


def visited(**more: object) -> Visitor:
    """Have a lamp registered, and visit the page."""
    enrollment = IndividualEnrollment.x509(
        registration_id="lamp",
        certificate=LAMP.certificate,
        device_id="lamp-7",
        **more,  # type: ignore[arg-type]
    )
    visitor = Visitor(instance(enrollment))
    register(visitor.service, shown(LAMP), registration_id="lamp")
    visitor.recent.record(asked("lamp"))
    return visitor


async def test_an_assigned_device() -> None:
    """Where it belongs, and its steps."""
    page = await visited().get("/registrations")

    assert f"lamp initialAssignment assigned {HUB} device id lamp-7 register, 202" in page


async def test_a_device_that_nobody_knows() -> None:
    """It has no record, but people look for it."""
    visitor = Visitor()
    visitor.recent.record(asked("<stranger>", 401))

    assert "<stranger> refused, 401" in await visitor.get("/registrations")
    assert "https 401 register <stranger>" in await visitor.get("/requests")


async def test_a_stray_request_does_not_undo_an_assignment() -> None:
    """The device is where it was; that its latest request was refused is told beside it."""
    visitor = visited()
    visitor.recent.record(asked("lamp", 404))

    assert f"assigned latest request: 404 {HUB}" in await visitor.get("/registrations")


async def test_a_failed_handshake_is_not_a_success() -> None:
    """It has no status, which is not a good one."""
    visitor = Visitor()
    visitor.recent.record(Exchange(transport="https", what="TLS handshake", message="no peer"))
    (line,) = views.request_rows(visitor.recent)

    assert (line.status, line.bad) == ("no response", True)


async def test_the_search_looks_through_all() -> None:
    """Also through those that are not among the first of the list."""
    visitor = Visitor()
    for number in range(ROWS + 50):
        visitor.recent.record(asked(f"sn-{number:04}", 401))

    assert f"The first {ROWS} of {ROWS + 50}." in await visitor.get("/registrations")
    found = await visitor.get("/registrations?q=SN-0001")
    assert "sn-0001 refused" in found
    assert "1 match “SN-0001”." in found
    assert "sn-0002" not in found


async def test_a_disabled_device() -> None:
    """Disabled is no success."""
    page = await visited(enabled=False).get("/registrations")

    assert "lamp disabled" in page


async def test_a_record_can_be_deleted() -> None:
    """Once; what was asked is still seen."""
    visitor = visited()
    assert "The registration of lamp was deleted." in await visitor.post(
        "/registrations/lamp/delete"
    )
    assert visitor.saved == 1
    assert "lamp requested" in await visitor.get("/registrations")
    page = await visitor.post("/registrations/lamp/delete")
    assert "not found" in page.lower()


@pytest.mark.parametrize(
    ("path", "words"),
    [("/registrations/live", b"lamp"), ("/requests/live", b"register")],
)
async def test_rows_arrive_live(path: str, words: bytes) -> None:
    """As server-sent events with rows ready made; the first piece comes at once."""
    visitor = visited()
    events = await visitor.follow(path)
    assert await anext(events) == b": connected\n\n"

    visitor.recent.record(asked("lamp", 200))
    event = await anext(events)
    assert event.startswith(b"event: rows\ndata: ")
    assert event.endswith(b"\n\n")
    assert words in event
    assert b"\n\n" not in event[:-2]
    await events.aclose()


async def test_the_story_of_a_device() -> None:
    """What it is, what to do next, and each of its requests with a link to the log."""
    visitor = visited()
    for exchange in (asked("lamp"), asked("other"), asked("LAMP", 200)):
        visitor.request_log.record(exchange)

    page = await visitor.get("/registrations/lamp/requests")
    assert "All is well It connects to its hub" in page
    assert "--cert certs/lamp_chain.pem" in page
    assert f"Assigned hub {HUB} Copy" in page
    html = bytes((await visitor.ask("GET", "/registrations/lamp/requests")).body).decode()
    assert html.index('href="/api/request-log?after=2"') < html.index("/api/request-log?after=0")
    assert "/api/request-log?after=1" not in html


async def test_a_stranger_has_a_story_too() -> None:
    """What it sent is escaped; nobody has one who never asked."""
    visitor = Visitor()
    visitor.request_log.record(asked("<b>/x", 401))
    path = "/registrations/%3Cb%3E%2Fx/requests"
    html = bytes((await visitor.ask("GET", path)).body).decode()

    assert "<b>" not in html
    assert "What to do next" in html
    assert (await visitor.ask("GET", "/registrations/nobody/requests")).status_code == 404


async def test_a_thumbprint_finds_the_device() -> None:
    """As enrolled, SHA-1 too, and as presented."""
    visitor = visited()
    sha1 = LAMP.certificate.fingerprint(hashes.SHA1()).hex(":")  # noqa: S303 (as Azure's portal)
    visitor.recent.record(replace(asked("press", 401), thumbprint="AB" * 32))

    assert "1 match" in await visitor.get(f"/registrations?q={sha1}")
    assert "1 match" in await visitor.get("/registrations?q=ab:ab:ab:ab")
