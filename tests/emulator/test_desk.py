"""Between fronts and service: each request is noted, and a bug is an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.emulator.clients import device

from aiodps.emulator.desk import LocalDesk
from aiodps.emulator.journal import Exchange
from aiodps.emulator.service.service import Service
from aiodps.emulator.state.memory import MemoryStore
from aiodps.emulator.state.store import StoreError
from aiodps.emulator.wire import (
    Identity,
    ManagementRequest,
    ManagementResponse,
    Operation,
    Request,
    Response,
)

REQUEST = Request(
    operation=Operation.REGISTER, id_scope="s", registration_id="device-1", api_version=None
)
ARM = ManagementRequest(
    method="GET",
    path="/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/d/certificates",
    query={"api-version": "2022-12-12"},
    headers={"authorization": "Bearer t"},
)
pytestmark = pytest.mark.anyio


@pytest.fixture
def noted() -> list[Exchange]:
    """Hold what was noted."""
    return []


@pytest.fixture
def desk(noted: list[Exchange]) -> LocalDesk:
    """Make a desk before a service without enrollments."""
    return LocalDesk(Service(id_scope="s", linked_hubs=["h.azure-devices.net"]), noted.append)


class BrokenService(Service):
    """A service with a bug in every corner."""

    def __init__(self) -> None:
        """Set up nothing."""

    def handle(self, request: Request, *, identity: Identity, now: float) -> Response:
        """Fail."""
        raise ZeroDivisionError


async def test_each_request_is_noted(desk: LocalDesk, noted: list[Exchange]) -> None:
    """Who asked for what, and what the answer was."""
    response = await desk.answer(REQUEST, identity=Identity((device().certificate,)), front="mqtt")

    (exchange,) = noted
    assert exchange.status_code == response.status_code
    assert exchange.message == response.body["message"]
    assert (exchange.front, exchange.what) == ("mqtt", "register")
    assert (exchange.registration_id, exchange.certificate) == ("device-1", "CN=device-1")
    assert 0 <= exchange.took < 1


async def test_the_resource_manager_is_noted_too(desk: LocalDesk, noted: list[Exchange]) -> None:
    """With a path that says enough."""
    response = await desk.answer_management(ARM)

    assert (response.status_code, response.body) == (200, {"value": []})
    assert noted[0].what == "GET Microsoft.Devices/provisioningServices/d/certificates"


async def test_what_is_not_for_the_service_gets_an_error_body(
    desk: LocalDesk, noted: list[Exchange]
) -> None:
    """Of the service's shape."""
    response = await desk.refuse(
        404, "nothing there", what="GET /", front="https", certificates=()
    )

    assert response.status_code == 404
    assert dict(response.body) | {"trackingId": "", "timestampUtc": ""} == {
        "errorCode": 404000,
        "trackingId": "",
        "message": "nothing there",
        "timestampUtc": "",
    }
    assert (noted[0].message, noted[0].certificate) == ("nothing there", None)


@pytest.mark.parametrize(
    "ask",
    [
        lambda desk: desk.answer(REQUEST, identity=Identity(), front="https"),
        lambda desk: desk.answer_management(ARM),
    ],
    ids=["device", "resource manager"],
)
async def test_a_bug_of_the_service_is_an_answer(
    ask: Callable[[LocalDesk], Awaitable[Response | ManagementResponse]],
    noted: list[Exchange],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """500, noted and logged; the connection goes on."""
    desk = LocalDesk(BrokenService(), noted.append)

    assert (await ask(desk)).status_code == 500
    assert noted[0].status_code == 500
    assert [record.levelname for record in caplog.records] == ["ERROR"]


class FullStore(MemoryStore):
    """A store without room."""

    def commit(self) -> None:
        """Fail."""
        raise StoreError("the state cannot be kept: the disk is full")


@pytest.mark.parametrize(
    "ask",
    [
        lambda desk: desk.answer(REQUEST, identity=Identity(), front="https"),
        lambda desk: desk.answer_management(ARM),
    ],
    ids=["device", "resource manager"],
)
async def test_what_cannot_be_kept_is_not_told(
    ask: Callable[[LocalDesk], Awaitable[Response | ManagementResponse]],
    noted: list[Exchange],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """500 and why, logged in one line: it is no bug."""
    service = Service(id_scope="s", linked_hubs=["h.azure-devices.net"])
    response = await ask(LocalDesk(service, noted.append, store=FullStore()))

    assert (response.status_code, noted[0].status_code) == (500, 500)
    assert "the disk is full" in str(response.body)
    assert [record.exc_info for record in caplog.records] == [None]
