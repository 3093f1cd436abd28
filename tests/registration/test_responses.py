"""What each answer of the service means."""

from __future__ import annotations

import pytest
from tests.registration.talk import OPERATION_ID, answer, assigned, assigning, refused

from aiodps import errors
from aiodps.models import Assignment, RegistrationStatus
from aiodps.protocol.messages import Response
from aiodps.registration.responses import Pending, ResponseContext, interpret_response

REGISTERED = ResponseContext(
    registration_id="dev-1",
    transport="rest",
    hub_suffixes=(".azure-devices.net",),
    operation_id=None,
)
POLLED = ResponseContext(
    registration_id="dev-1",
    transport="rest",
    hub_suffixes=(".azure-devices.net",),
    operation_id=OPERATION_ID,
)


def response(event: object) -> Response:
    """Take the response out of an event."""
    return event.response  # type: ignore[attr-defined, no-any-return]  # made by `answer`


@pytest.mark.parametrize("status", ["assigning", "unassigned"])
def test_pending(status: str) -> None:
    """Assigning and unassigned (J21) both mean: ask again."""
    event = answer(202, retry_after=7.0, operationId=OPERATION_ID, status=status)

    assert interpret_response(response(event), REGISTERED) == Pending(
        OPERATION_ID, RegistrationStatus(status), 7.0
    )


def test_a_poll_may_leave_the_operation_id_out() -> None:
    """Azure SDK for C: the answer to a poll may lack the operation id; the known one is kept."""
    pending = interpret_response(response(answer(202, status="assigning")), POLLED)

    assert pending == Pending(OPERATION_ID, RegistrationStatus.ASSIGNING, None)


def test_assigned() -> None:
    """Assigned gives an assignment."""
    assert isinstance(interpret_response(response(assigned()), POLLED), Assignment)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        pytest.param(answer(202, status="assigning"), errors.MalformedResponseError, id="J11"),
        pytest.param(
            answer(202, operationId="5.other", status="assigning"),
            None,
            id="register-any-operation",
        ),
        pytest.param(
            answer(200, operationId="o", status="disabled"),
            errors.RegistrationDisabledError,
            id="J20",
        ),
        pytest.param(answer(200, status="what"), errors.UnknownStatusError, id="J12"),
        pytest.param(answer(200, status="assigned"), errors.MalformedResponseError, id="J13"),
        pytest.param(refused(400, 400004), errors.BadRequestError, id="H22"),
        pytest.param(refused(401, 401002), errors.UnauthorizedError, id="H23"),
        pytest.param(refused(403, 403000), errors.ForbiddenError, id="H24"),
        pytest.param(refused(404, 404201), errors.NotFoundError, id="H25"),
        *(
            pytest.param(refused(code, code * 1000), errors.BadRequestError, id=f"H26-{code}")
            for code in (405, 406, 413, 415, 422)
        ),
        *(
            pytest.param(refused(code, 0), errors.TransportTimeoutError, id=f"H27-{code}")
            for code in (408, 425)
        ),
        pytest.param(refused(409, 409203), errors.ConflictError, id="H28"),
        pytest.param(refused(412, 412000), errors.ConflictError, id="H29"),
        pytest.param(refused(429, 429001, retry_after=3), errors.ThrottledError, id="H30"),
        *(
            pytest.param(refused(code, 0), errors.ServiceUnavailableError, id=f"H36-{code}")
            for code in (500, 502, 503, 504)
        ),
        *(
            pytest.param(refused(code, 0), errors.UnexpectedStatusError, id=f"H37-{code}")
            for code in (501, 505, 507, 511, 402, 418, 999, 101)
        ),
    ],
)
def test_meaning(event: object, error: type[errors.ProvisioningError] | None) -> None:
    """Each status has its error, and errors are returned, not raised."""
    meaning = interpret_response(response(event), REGISTERED)

    assert type(meaning) is (error or Pending)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_refused(code: int) -> None:
    """H20, H21, F35: a redirect is an error that names the host, and nothing is followed."""
    meaning = interpret_response(
        Response(status_code=code, body=b"", location="evil.test"), REGISTERED
    )
    nowhere = interpret_response(Response(status_code=code, body=b""), REGISTERED)

    assert isinstance(meaning, errors.RedirectRefusedError)
    assert meaning.reason == "evil.test"
    assert isinstance(nowhere, errors.RedirectRefusedError)


def test_captive_portal() -> None:
    """H38: a page instead of JSON is told as what it mostly is."""
    meaning = interpret_response(
        Response(status_code=200, body=b"<html>", content_type="text/html"), REGISTERED
    )

    assert isinstance(meaning, errors.MalformedResponseError)
    assert meaning.reason == "content_type"
    assert "captive portal" in meaning.hint


@pytest.mark.parametrize("kind", [None, "application/json", "application/problem+json"])
def test_json_by_any_name(kind: str | None) -> None:
    """Over MQTT there is no content type, and JSON has more than one."""
    body = response(assigning()).body
    meaning = interpret_response(
        Response(status_code=202, body=body, content_type=kind), REGISTERED
    )

    assert isinstance(meaning, Pending)


def test_foreign_operation() -> None:
    """F15: an answer about another operation is not taken."""
    meaning = interpret_response(response(assigning(operation_id="5.other")), POLLED)

    assert isinstance(meaning, errors.IdentityMismatchError)


def test_foreign_device_while_assigning() -> None:
    """F15: an answer about another device is not taken, while assigning either."""
    event = answer(202, status="assigning", registrationState={"registrationId": "dev-2"})

    assert isinstance(interpret_response(response(event), POLLED), errors.IdentityMismatchError)


@pytest.mark.parametrize("code", [400208, 400209, 401002, None])
def test_failed(code: int | None) -> None:
    """J19: `failed` arrives as 200 and keeps the service's own code and words."""
    state = {"registrationId": "dev-1", "errorCode": code, "errorMessage": "hub not specified"}
    event = answer(200, operationId=OPERATION_ID, status="failed", registrationState=state)
    meaning = interpret_response(response(event), POLLED)

    assert isinstance(meaning, errors.RegistrationFailedError)
    assert meaning.error_code == code
    assert "hub not specified" in meaning.message


@pytest.mark.parametrize(
    ("named", "device_id"), [("press-4", "press-4"), ("a b", None), (7, None)]
)
def test_failed_with_a_device_id(named: object, device_id: str | None) -> None:
    """A device that was assigned before keeps its id; there is no hub, and none is needed."""
    state = {"registrationId": "dev-1", "deviceId": named, "errorCode": 401001}
    event = answer(200, operationId=OPERATION_ID, status="failed", registrationState=state)
    meaning = interpret_response(response(event), POLLED)

    assert isinstance(meaning, errors.RegistrationFailedError)
    assert meaning.device_id == device_id
    assert "link one" in meaning.hint


def test_a_hub_with_the_new_kind_of_name() -> None:
    """A linked hub may be switched to its endpoint for devices."""
    hub = "contoso.device.azure-devices.net"
    state = {"registrationId": "dev-1", "deviceId": "dev-1", "assignedHub": hub}
    event = answer(200, operationId=OPERATION_ID, status="assigned", registrationState=state)
    meaning = interpret_response(response(event), POLLED)

    assert isinstance(meaning, Assignment)
    assert meaning.assigned_hub == hub


@pytest.mark.parametrize("profile", ["classic", "mqttV5", "new", None])
def test_the_connection_profile_is_kept(profile: str | None) -> None:
    """Whatever it is: it tells how to connect to the hub."""
    state = {"registrationId": "dev-1", "deviceId": "dev-1", "assignedHub": "h.azure-devices.net"}
    more = {} if profile is None else {"connectionProfile": profile}
    event = answer(
        200, operationId=OPERATION_ID, status="assigned", registrationState=state | more
    )
    meaning = interpret_response(response(event), POLLED)

    assert isinstance(meaning, Assignment)
    assert meaning.connection_profile == profile


def test_failed_without_a_reason() -> None:
    """A failure without a word is still told in a sentence."""
    meaning = interpret_response(response(answer(200, status="failed")), POLLED)

    assert isinstance(meaning, errors.RegistrationFailedError)
    assert "no reason given" in meaning.message


def test_service_codes_reach_the_user() -> None:
    """Code, words, tracking id and time of the service are all in the error."""
    meaning = interpret_response(response(refused(429, 429001, retry_after=3.0)), REGISTERED)

    assert isinstance(meaning, errors.ThrottledError)
    assert (meaning.status_code, meaning.error_code) == (429, 429001)
    assert (meaning.tracking_id, meaning.timestamp) == ("8ad0463c", "2020-04-10T05:24:22Z")
    assert meaning.retry_after == 3.0
    assert "429001" in str(meaning)
    assert "8ad0463c" in str(meaning)


def test_request_id_stands_in_for_a_tracking_id() -> None:
    """Seen in a captured 401: the request id is the tracking id."""
    meaning = interpret_response(
        Response(status_code=500, body=b"oops", request_id="3e8bb7003e9b"), REGISTERED
    )

    assert isinstance(meaning, errors.ServiceUnavailableError)
    assert meaning.tracking_id == "3e8bb7003e9b"


def test_hints_for_known_codes() -> None:
    """The most common refusal, 401002, comes with its usual reasons."""
    meaning = interpret_response(response(refused(401, 401002)), REGISTERED)

    assert isinstance(meaning, errors.UnauthorizedError)
    assert "intermediates" in meaning.hint
