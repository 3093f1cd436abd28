"""Hints depend on what the service says, not on how it arrives."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from aiodps import errors
from aiodps.protocol.messages import Response
from aiodps.protocol.mqtt import ResponseTopic, parse_response_topic
from aiodps.protocol.rest import HttpResponse, parse_response
from aiodps.registration.responses import ResponseContext, interpret_response

REGISTERED = ResponseContext(
    registration_id="d", transport="rest", hub_suffixes=(), operation_id=None
)
PUBLIC = [
    (400004, "BadRequest", "payload"),
    (400012, "Deserialization error", "api-version"),
    (400207, "Custom allocation failed with status code: 404", "webhook"),
    (400208, "IoT hub not specified", "names no IoT hub"),
    (400209, "IoT hub not authorized", "access policy"),
    (401000, "Unauthorized", "clock"),
    (401001, "IoTHub not found.", "link one"),
    (401002, "Unauthorized", "intermediates"),
    (401002, "Invalid certificate", "intermediates"),
    (401002, "Invalid certificate.", "intermediates"),
    (401002, "CA certificate not found.", "intermediates"),
    (401002, "Signing certificate info did not match chain elements.", "not the enrolled one"),
    (401002, "IotHubUnauthorizedAccess", "access policy"),
    (403000, "Forbidden", "roles"),
    (404201, "Registration not found.", "create one"),
    (404203, "Operation not found.", "register again"),
    (409203, "Precondition failed.", "second client"),
    (429001, "Too many requests.", "spread the devices"),
    (500000, "server error", "try again later"),
]
"""Each public code and message of a register or poll, and what its hint mentions.

Where only the code is public, the message is that of Microsoft's enumeration.
"""


def over_rest(status_code: int, body: bytes) -> Response:
    """Read it from HTTP."""
    head = [(b"Content-Type", b"application/json")]
    return parse_response(HttpResponse(status_code, head, body))


def over_mqtt(status_code: int, body: bytes) -> Response:
    """Read it from a publication."""
    topic = parse_response_topic(f"$dps/registrations/res/{status_code}/?$rid=1")
    assert isinstance(topic, ResponseTopic)
    return Response(status_code=topic.status_code, body=body)


@pytest.mark.parametrize("over", [over_rest, over_mqtt])
@pytest.mark.parametrize("failed", [False, True], ids=["refused", "failed"])
@pytest.mark.parametrize(("code", "message", "step"), PUBLIC)
def test_each_public_code_has_a_hint(
    *, code: int, message: str, step: str, failed: bool, over: Callable[[int, bytes], Response]
) -> None:
    """The same one as an error status, and in a registration that failed."""
    state = {"errorCode": code, "errorMessage": message}
    answer: dict[str, object] = {
        "operationId": "o",
        "status": "failed",
        "registrationState": state,
    }
    if not failed:
        answer = {"errorCode": code, "message": message}

    status_code = 200 if failed else code // 1000
    meaning = interpret_response(over(status_code, json.dumps(answer).encode()), REGISTERED)

    assert isinstance(meaning, errors.ServiceError)
    assert isinstance(meaning, errors.RegistrationFailedError) == failed
    assert meaning.error_code == code
    assert step in meaning.hint


def test_an_unknown_code_has_the_hint_of_its_error() -> None:
    """As little as that says."""
    meaning = interpret_response(over_rest(404, b'{"errorCode": 404999}'), REGISTERED)

    assert isinstance(meaning, errors.NotFoundError)
    assert meaning.hint == errors.NotFoundError.default_hint
