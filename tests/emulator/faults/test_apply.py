"""What a fault makes of an answer of the service."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from aiodps.emulator.connections.delivery import Delivery, Ending
from aiodps.emulator.faults.apply import NO_RESPONSE, apply_fault, apply_management_fault
from aiodps.emulator.faults.effects import Drop, Effect, Range
from aiodps.emulator.faults.injector import Fault
from aiodps.emulator.protocol.messages import ManagementResponse, Operation, Request, Response

NOW = 1_800_000_000.0
REQUEST = Request(
    operation=Operation.OPERATION_STATUS, id_scope="s", registration_id="d", api_version=None
)
STATE = {"registrationId": "d", "status": "assigned"}
ASSIGNED = Response(
    status_code=200, body={"operationId": "o", "status": "assigned", "registrationState": STATE}
)


def make(response: Response, **effect: Any) -> Response:
    """Let a fault at an answer."""
    fault = Fault(rules="x", effect=Effect.of(effect), delay=0.5, noise=3)
    return apply_fault(response, fault, REQUEST, retry_after=4, now=NOW)


def test_a_status_with_a_wait() -> None:
    """In the shape of the service's own errors."""
    answer = make(NO_RESPONSE, status=429, message="no", retry_after="7")

    assert (answer.status_code, answer.wait) == (429, "7")
    assert answer.body["errorCode"] == 429000
    assert answer.body["message"] == "no"


def test_a_date_to_wait_for() -> None:
    """As HTTP writes it."""
    answer = make(NO_RESPONSE, status=503, retry_after_date=60)

    assert answer.wait is not None
    assert parsedate_to_datetime(answer.wait).timestamp() == NOW + 60


def test_no_wait_at_all() -> None:
    """Also where the service says one."""
    accepted = Response(status_code=202, body={"operationId": "o"}, retry_after=3)

    assert make(accepted, retry_after="").wait is None
    assert make(accepted).wait == "3"


def test_elsewhere() -> None:
    """307 unless another status is said."""
    assert make(NO_RESPONSE, redirect="https://x/").status_code == 307
    answer = make(NO_RESPONSE, redirect="https://x/", status=302)
    assert answer.status_code == 302
    assert answer.delivery is not None
    assert answer.delivery.headers == {"Location": "https://x/"}


@pytest.mark.parametrize(
    ("effect", "status", "code"),
    [
        ({"failed": True, "error_code": 400207, "message": "no"}, "failed", 200),
        ({"disabled": True}, "disabled", 200),
        ({"assigning": Range(1, 1)}, "assigning", 202),
    ],
)
def test_another_outcome(effect: dict[str, Any], status: str, code: int) -> None:
    """In the operation and in its registration state."""
    answer = make(ASSIGNED, **effect)

    assert answer.status_code == code
    assert answer.body["operationId"] == "o"
    assert answer.body["status"] == answer.body["registrationState"]["status"] == status
    assert answer.wait == ("4" if code == 202 else None)
    assert answer.body["registrationState"].get("errorCode") == effect.get("error_code")


def test_a_look_up_gets_the_state_itself() -> None:
    """As the service answers it."""
    answer = make(Response(status_code=200, body=STATE), assigning=Range(1, 1))

    assert (answer.status_code, answer.wait) == (200, None)
    assert answer.body == {"registrationId": "d", "status": "assigning"}


def test_what_is_refused_stays_refused() -> None:
    """A fault makes nobody a device."""
    refused = Response(status_code=401, body={"errorCode": 401002})

    assert make(refused, failed=True).body == refused.body


def test_members_go_into_objects() -> None:
    """What was there stays, unless it is named."""
    answer = make(ASSIGNED, members={"new": 1, "registrationState": {"status": "warm"}})

    assert answer.body["new"] == 1
    assert answer.body["registrationState"] == {"registrationId": "d", "status": "warm"}
    assert answer.body["status"] == "assigned"
    assert STATE["status"] == "assigned"


@pytest.mark.parametrize(
    ("drop", "sent", "acknowledged"),
    [(Drop.BEFORE, False, False), (Drop.AFTER, False, True), (Drop.SENT, True, True)],
)
def test_what_comes_before_the_end(drop: Drop, sent: bool, acknowledged: bool) -> None:
    """Nothing, the acknowledgement, or the answer too."""
    delivery = make(ASSIGNED, drop=drop).delivery

    assert delivery == Delivery(
        delay=0.5, ending=Ending.CLOSE, sent=sent, acknowledged=acknowledged, noise=3
    )


def test_management() -> None:
    """Has faults of its own, with headers and without devices."""
    fault = Fault(
        rules="x", effect=Effect.of({"status": 429, "retry_after": "2", "members": {"a": 1}})
    )
    answer = apply_management_fault(ManagementResponse(status_code=0), fault, now=NOW)

    assert answer.status_code == 429
    assert answer.body is not None
    assert "a" in answer.body
    assert answer.delivery is not None
    assert answer.delivery.headers == {"Retry-After": "2"}


def test_a_list_of_the_management_gets_no_members() -> None:
    """There is no object to put them into."""
    fault = Fault(rules="x", effect=Effect(members={"a": 1}))
    answer = apply_management_fault(ManagementResponse(status_code=200, body=[1]), fault, now=NOW)

    assert answer.body == [1]
