"""Things the machine's tests say to it."""

from __future__ import annotations

import json

from aiodps.errors import ConnectionLostError
from aiodps.models import Assignment
from aiodps.protocol.messages import Response
from aiodps.registration.actions import Action
from aiodps.registration.events import Connected, Event, ExchangeFailed, ResponseReceived, Started
from aiodps.registration.machine import Registration
from aiodps.registration.retrying import RequestParams

OPERATION_ID = "5.316aac5bdc130deb.b1e02da8-9d29-4f1b-9f1c-7c8f9d0e1a2b"
HUB = "contoso.azure-devices.net"


def plan(**changes: object) -> RequestParams:
    """Make a plan for the device dev-1 with a deadline of 90 s."""
    base: dict[str, object] = {
        "registration_id": "dev-1",
        "transport": "rest",
        "hub_suffixes": (".azure-devices.net",),
    }
    return RequestParams(**{**base, **changes})  # type: ignore[arg-type]  # checked by the machine's tests


def answer(
    status_code: int = 200, *, retry_after: float | None = None, **members: object
) -> ResponseReceived:
    """Make an answer with a JSON body."""
    body = json.dumps(members).encode()
    return ResponseReceived(
        Response(
            status_code=status_code,
            body=body,
            retry_after=retry_after,
            content_type="application/json",
        )
    )


def assigning(retry_after: float | None = 3.0, operation_id: str = OPERATION_ID) -> Event:
    """202, not decided yet."""
    return answer(202, retry_after=retry_after, operationId=operation_id, status="assigning")


def assigned() -> Event:
    """200, decided."""
    state = {"registrationId": "dev-1", "deviceId": "dev-1", "assignedHub": HUB}
    return answer(200, operationId=OPERATION_ID, status="assigned", registrationState=state)


def refused(status_code: int, error_code: int, *, retry_after: float | None = None) -> Event:
    """An error of the service."""
    return answer(
        status_code,
        retry_after=retry_after,
        errorCode=error_code,
        message="no",
        trackingId="8ad0463c",
        timestampUtc="2020-04-10T05:24:22Z",
    )


def lost() -> Event:
    """The connection broke."""
    return ExchangeFailed(ConnectionLostError("the server closed the connection"))


def registering(machine: Registration, *, now: float = 0.0) -> Action[Assignment]:
    """Bring a new machine to its first register request."""
    machine.receive(Started(), now=now)
    return machine.receive(Connected(), now=now)
