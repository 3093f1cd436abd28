"""Between fronts and service: each request is noted, and a bug is an answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.emulated import device

from aiodps.emulator.azure_api.access_policies import OWNER, Access, AccessPolicy
from aiodps.emulator.azure_api.router import AzureApi
from aiodps.emulator.dispatch.dispatcher import Dispatcher
from aiodps.emulator.protocol.messages import (
    Identity,
    ManagementRequest,
    ManagementResponse,
    Operation,
    Request,
    Response,
)
from aiodps.emulator.request_log.log import Exchange
from aiodps.emulator.service.service import Service
from aiodps.emulator.state.store import MemoryStore, StoreError

OWNERS = AccessPolicy.create(OWNER)
REQUEST = Request(
    operation=Operation.REGISTER, id_scope="s", registration_id="device-1", api_version=None
)
ARM = ManagementRequest(
    method="GET",
    path="/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/d/certificates",
    query={"api-version": "2022-12-12"},
    headers={"authorization": f"Bearer {OWNERS.primary_key}"},
)


@pytest.fixture
def noted() -> list[Exchange]:
    """Hold what was noted."""
    return []


@pytest.fixture
def dispatcher(noted: list[Exchange]) -> Dispatcher:
    """Make a dispatcher before a service without enrollments."""
    service = Service(id_scope="s", linked_hubs=["h.azure-devices.net"])
    return Dispatcher(service, noted.append, azure_api=AzureApi(service, Access([OWNERS])))


class BrokenService(Service):
    """A service with a bug in every corner."""

    def __init__(self) -> None:
        """Set up nothing."""

    def handle(self, request: Request, *, identity: Identity, now: float) -> Response:
        """Fail."""
        raise ZeroDivisionError


def test_each_request_is_noted(dispatcher: Dispatcher, noted: list[Exchange]) -> None:
    """Who asked for what, and what the answer was."""
    response = dispatcher.handle_device(
        REQUEST, identity=Identity((device().certificate,)), transport="mqtt"
    )

    (exchange,) = noted
    assert exchange.status_code == response.status_code
    assert str(exchange.message).startswith(response.body["message"])
    assert (exchange.transport, exchange.what) == ("mqtt", "register")
    assert (exchange.registration_id, exchange.certificate) == ("device-1", "CN=device-1")
    assert exchange.took >= 0


def test_the_resource_manager_is_noted_too(dispatcher: Dispatcher, noted: list[Exchange]) -> None:
    """With a path that says enough."""
    response = dispatcher.handle_management(ARM)

    assert (response.status_code, response.body) == (200, {"value": []})
    assert noted[0].what == "GET Microsoft.Devices/provisioningServices/d/certificates"


def test_what_is_not_for_the_service_gets_an_error_body(
    dispatcher: Dispatcher, noted: list[Exchange]
) -> None:
    """Of the service's shape."""
    response = dispatcher.reject(
        404, "nothing there", what="GET /", transport="https", certificates=()
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
        lambda dispatcher: dispatcher.handle_device(
            REQUEST, identity=Identity(), transport="https"
        ),
        lambda dispatcher: dispatcher.handle_management(ARM),
    ],
    ids=["device", "resource manager"],
)
def test_a_bug_of_the_service_is_an_answer(
    ask: Callable[[Dispatcher], Response | ManagementResponse],
    noted: list[Exchange],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """500, noted and logged; the connection goes on."""
    service = BrokenService()
    azure_api = AzureApi(service, Access([OWNERS]))
    dispatcher = Dispatcher(service, noted.append, azure_api=azure_api)

    assert ask(dispatcher).status_code == 500
    assert noted[0].status_code == 500
    assert [record.levelname for record in caplog.records] == ["ERROR"]


class FullStore(MemoryStore):
    """A store without room."""

    def commit(self) -> None:
        """Fail."""
        raise StoreError("the state cannot be saved: the disk is full")


@pytest.mark.parametrize(
    "ask",
    [
        lambda dispatcher: dispatcher.handle_device(
            REQUEST, identity=Identity(), transport="https"
        ),
        lambda dispatcher: dispatcher.handle_management(ARM),
    ],
    ids=["device", "resource manager"],
)
def test_what_cannot_be_kept_is_not_told(
    ask: Callable[[Dispatcher], Response | ManagementResponse],
    noted: list[Exchange],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """500 and why, logged in one line: it is no bug."""
    service = Service(id_scope="s", linked_hubs=["h.azure-devices.net"])
    response = ask(Dispatcher(service, noted.append, store=FullStore()))

    assert (response.status_code, noted[0].status_code) == (500, 500)
    assert "the disk is full" in str(response.body)
    assert [record.exc_info for record in caplog.records] == [None]


def test_a_newer_session_ends_the_older_one_of_its_client_alone(
    dispatcher: Dispatcher,
) -> None:
    """MQTT 3.1.1, 3.1.4-2."""
    ended: list[str] = []
    with (
        dispatcher.session("a", end=lambda: ended.append("a1")),
        dispatcher.session("b", end=lambda: ended.append("b1")),
        dispatcher.session("a", end=lambda: ended.append("a2")),
    ):
        assert ended == ["a1"]


def test_a_session_that_was_left_is_not_ended(dispatcher: Dispatcher) -> None:
    """Nor is the one that took over forgotten when the older one is left at last."""
    ended: list[str] = []
    older = dispatcher.session("a", end=lambda: ended.append("older"))
    newer = dispatcher.session("a", end=lambda: ended.append("newer"))
    older.__enter__()
    newer.__enter__()
    older.__exit__(None, None, None)
    with dispatcher.session("a", end=lambda: ended.append("third")):
        assert ended == ["older", "newer"]

    newer.__exit__(None, None, None)
    with dispatcher.session("a", end=lambda: ended.append("fourth")):
        assert ended == ["older", "newer"]
