"""The bodies of answers, against what the live service was seen to say."""

from __future__ import annotations

from dataclasses import replace

from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.service.registrations.hub_devices import HubDevice
from aiodps.emulator.service.registrations.record import (
    Outcome,
    Proof,
    RegistrationOperation,
)
from aiodps.emulator.service.registrations.responses import (
    accepted,
    error,
    operation_status,
    registration_state,
)
from aiodps.models import RegistrationStatus, Substatus


def operation(outcome: Outcome | None, group: str | None = None) -> RegistrationOperation:
    """Make an operation that began on 2022-08-27 and took a quarter of a second."""
    return RegistrationOperation(
        operation_id="5.506603669bd3e2bf.b3602f8f-76fe-4341-9214-bb6cfb891b8a",
        proof=Proof.X509,
        enrollment_group_id=group,
        outcome=outcome,
        created=1661622799.5,
        finished=1661622799.75,
        etag="IjEyMDA4NmYyLTAwMDAtMDMwMC0wMDAwLTYzMGE1YTBmMDAwMCI=",
    )


ASSIGNED = Outcome(
    status=RegistrationStatus.ASSIGNED,
    hub_device=HubDevice(hub="MyExampleHub.azure-devices.net", device_id="my-x509-device"),
    substatus=Substatus.INITIAL_ASSIGNMENT,
)


def test_assigned_is_what_microsoft_prints() -> None:
    """Source: Microsoft Learn, "How to use X.509 certificates over HTTPS without an SDK".

    Its times have seven digits that a float cannot hold; ours differ there alone.
    """
    response = operation_status(
        operation(ASSIGNED), "my-x509-device", retry_after=3, now=1661622799.75
    )

    assert response.status_code == 200
    assert response.body == {
        "operationId": "5.506603669bd3e2bf.b3602f8f-76fe-4341-9214-bb6cfb891b8a",
        "status": "assigned",
        "registrationState": {
            "x509": {},
            "registrationId": "my-x509-device",
            "createdDateTimeUtc": "2022-08-27T17:53:19.5000000Z",
            "assignedHub": "MyExampleHub.azure-devices.net",
            "deviceId": "my-x509-device",
            "status": "assigned",
            "substatus": "initialAssignment",
            "lastUpdatedDateTimeUtc": "2022-08-27T17:53:19.7500000Z",
            "etag": "IjEyMDA4NmYyLTAwMDAtMDMwMC0wMDAwLTYzMGE1YTBmMDAwMCI=",
        },
    }


def test_accepted_is_what_microsoft_prints() -> None:
    """Source: the same page, the answer to the register request."""
    response = accepted(operation(ASSIGNED), retry_after=3)

    assert (response.status_code, response.retry_after) == (202, 3)
    assert response.body == {
        "operationId": "5.506603669bd3e2bf.b3602f8f-76fe-4341-9214-bb6cfb891b8a",
        "status": "assigning",
    }


def test_failed_says_why() -> None:
    """Source: the golden answers of Microsoft's azure-sdk-for-c, custom allocation failed."""
    outcome = Outcome(
        status=RegistrationStatus.FAILED,
        error_code=400207,
        error_message="Custom allocation failed with status code: 400",
    )
    state = registration_state(operation(outcome), "my-x509-device", now=1661622800)

    assert state["status"] == "failed"
    assert state["errorCode"] == 400207
    assert state["errorMessage"] == "Custom allocation failed with status code: 400"


def test_failed_after_an_assignment() -> None:
    """Source: the change log of Azure IoT SDK for C 1.0.0: a device id, and no hub."""
    outcome = Outcome(status=RegistrationStatus.FAILED, error_code=401001, device_id="press-4")
    state = registration_state(operation(outcome), "my-x509-device", now=1661622800)

    assert (state["status"], state["deviceId"]) == ("failed", "press-4")
    assert "assignedHub" not in state


def test_a_group_is_named() -> None:
    """Source: REST reference, `X509RegistrationResult`."""
    state = registration_state(operation(ASSIGNED, "all of them"), "d", now=1661622800)

    assert state["x509"] == {"enrollmentGroupId": "all of them"}


def test_a_payload_comes_last() -> None:
    """What a webhook says to the device follows what the service says."""
    outcome = replace(ASSIGNED, payload={"colour": "red"})
    state = registration_state(operation(outcome), "d", now=1661622800)

    assert (list(state)[-1], state["payload"]) == ("payload", {"colour": "red"})


def test_while_a_webhook_thinks() -> None:
    """Nothing is decided, whatever the time: the device is told to wait."""
    response = operation_status(operation(None), "d", retry_after=3, now=1661622800 + 3600)

    assert (response.status_code, response.body["status"]) == (202, "assigning")
    assert response.body["registrationState"] == {"registrationId": "d", "status": "assigning"}


def test_an_error() -> None:
    """Source: REST reference, `ProvisioningServiceErrorDetails`, and a 401 seen on the wire."""
    refused = Refusal(ErrorCode.UNAUTHORIZED, "CA certificate not found.")
    response = error(refused, tracking_id="8f211bc5", now=1661622799.5)

    assert response.status_code == 401
    assert response.body == {
        "errorCode": 401002,
        "trackingId": "8f211bc5",
        "message": "CA certificate not found.",
        "timestampUtc": "2022-08-27T17:53:19.5000000Z",
    }
