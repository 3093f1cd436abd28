"""The service API of registrations."""

from __future__ import annotations

import pytest
from tests.certificates import certify, root
from tests.emulator.administrator import Administrator
from tests.emulator.instance import HUB, ask, instance, shown

from aiodps.emulator.protocol.messages import ManagementResponse, Operation
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup


@pytest.fixture
def admin() -> Administrator:
    """Return the administrator of an instance with a group."""
    group = EnrollmentGroup.signed_by(root().certificate, enrollment_group_id="Group-1")
    return Administrator(instance(group, verified=[root()]))


def register(admin: Administrator, name: str) -> None:
    """Let a device of the group register."""
    device = certify(name)
    response = ask(admin.service, Operation.REGISTER, shown(device), registration_id=name)
    assert response.status_code == 202


def test_a_registration(admin: Administrator) -> None:
    """Source: `DeviceRegistrationState`; in any casing."""
    register(admin, "device-1")
    state = admin.call("GET", "/registrations/DEVICE-1")

    assert state == {
        "registrationId": "device-1",
        "createdDateTimeUtc": state["createdDateTimeUtc"],
        "assignedHub": HUB,
        "deviceId": "device-1",
        "status": "assigned",
        "substatus": "initialAssignment",
        "lastUpdatedDateTimeUtc": state["lastUpdatedDateTimeUtc"],
        "etag": state["etag"],
    }


@pytest.mark.parametrize(
    ("version", "profile"), [("2026-11-01", None), ("2026-11-02-preview", "classic")]
)
def test_states_by_version(admin: Administrator, version: str, profile: str | None) -> None:
    """Source: `connectionProfile` of the specification of 2026-11-02-preview."""
    register(admin, "device-1")
    admin.api_version = version

    assert admin.call("GET", "/registrations/device-1").get("connectionProfile") == profile


def test_deleting(admin: Administrator) -> None:
    """With its etag or without; the device may come again, as if for the first time."""
    register(admin, "device-1")
    etag = admin.call("GET", "/registrations/device-1")["etag"]

    assert admin.refused("DELETE", "/registrations/device-1", if_match="other") == 412000
    assert admin.send("DELETE", "/registrations/device-1", if_match=etag).status_code == 204
    assert admin.refused("GET", "/registrations/device-1") == 404201
    assert admin.refused("DELETE", "/registrations/device-1") == 404201
    register(admin, "device-1")
    assert admin.call("GET", "/registrations/device-1")["substatus"] == "initialAssignment"


def names(response: ManagementResponse) -> list[str]:
    """Return the registration ids of a page."""
    assert isinstance(response.body, list)
    return [each["registrationId"] for each in response.body]


@pytest.mark.parametrize("body", [None, {"query": "SELECT *"}, b"anything"])
def test_those_of_a_group(admin: Administrator, body: object) -> None:
    """By the group's id, with or without a body, page by page."""
    for name in ("device-2", "device-1", "device-3"):
        register(admin, name)

    path = "/registrations/GROUP-1/query"
    first = admin.send("POST", path, body, x_ms_max_item_count="2")
    token = first.headers["x-ms-continuation"]
    second = admin.send("POST", path, body, x_ms_max_item_count="2", x_ms_continuation=token)

    assert [names(first), names(second)] == [["device-1", "device-2"], ["device-3"]]
    assert first.headers["x-ms-item-type"] == "deviceRegistration"
    assert "x-ms-continuation" not in second.headers


def test_a_group_without_devices(admin: Administrator) -> None:
    """Has none; a group that is not there is 404, and so is a device's name."""
    assert admin.call("POST", "/registrations/group-1/query") == []
    assert admin.refused("POST", "/registrations/device-1/query") == 404204
