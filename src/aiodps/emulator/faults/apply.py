"""Application of a fault to a response: pure functions, before anything is sent."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

from aiodps.emulator.connections.delivery import Delivery, Ending
from aiodps.emulator.faults.effects import Drop, Effect
from aiodps.emulator.faults.injector import Fault
from aiodps.emulator.protocol.formats import timestamp
from aiodps.emulator.protocol.messages import ManagementResponse, Request, Response
from aiodps.models import RegistrationStatus

FAULT_MESSAGE: Final = "A fault of the emulator's plan."
FAILED_CODE: Final = 400_000
NO_RESPONSE: Final = Response(status_code=0, body={})
"""Stands for the response to a request that never reaches the service."""


def apply_fault(
    response: Response, fault: Fault, request: Request, *, retry_after: int, now: float
) -> Response:
    """Apply a fault to the response to a device.

    Args:
        response: The service's; `NO_RESPONSE` if the request did not reach it.
        fault: The fault.
        request: The device's.
        retry_after: Whole seconds that devices are asked to wait.
        now: Seconds since 1970.
    """
    effect = fault.effect
    status = _status(effect)
    if status is not None:
        response = Response(status_code=status, body=_error(status, effect, now=now))
    elif HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        response = _outcome(response, effect, request, retry_after=retry_after, now=now)

    body = _merged(response.body, effect.members or {})
    return replace(response, body=body, delivery=delivery(fault, now=now))


def apply_management_fault(
    response: ManagementResponse, fault: Fault, *, now: float
) -> ManagementResponse:
    """Apply a fault to a response of the service API or Azure Resource Manager."""
    effect, status = fault.effect, _status(fault.effect)
    if status is not None:
        response = ManagementResponse(status_code=status, body=_error(status, effect, now=now))

    body = response.body
    if effect.members and (body is None or isinstance(body, Mapping)):
        body = _merged(body or {}, effect.members)

    how = delivery(fault, now=now)
    if how.retry_after:
        how = replace(how, headers={**how.headers, "Retry-After": how.retry_after})

    return replace(response, body=body, delivery=how)


def delivery(fault: Fault, *, now: float) -> Delivery:
    """Return how the response is delivered to the client."""
    effect = fault.effect
    wait = effect.delivery.retry_after
    if effect.retry_after_date is not None:
        wait = formatdate(now + effect.retry_after_date, usegmt=True)

    return replace(
        effect.delivery,
        delay=fault.delay,
        ending=None if effect.drop is None else effect.how or Ending.CLOSE,
        sent=effect.drop in {None, Drop.SENT},
        acknowledged=effect.drop is not Drop.BEFORE,
        retry_after=wait,
        headers={} if effect.redirect is None else {"Location": effect.redirect},
        noise=fault.noise,
    )


def _status(effect: Effect) -> int | None:
    redirect = None if effect.redirect is None else HTTPStatus.TEMPORARY_REDIRECT.value
    return redirect if effect.status is None else effect.status


def _error(status: int, effect: Effect, *, now: float) -> dict[str, Any]:
    """Write an error body; a code without details is the status code times a thousand."""
    return {
        "errorCode": status * 1000 if effect.error_code is None else effect.error_code,
        "trackingId": str(uuid.uuid4()),
        "message": effect.message or FAULT_MESSAGE,
        "timestampUtc": timestamp(now),
    }


def _outcome(
    response: Response, effect: Effect, request: Request, *, retry_after: int, now: float
) -> Response:
    """Turn a successful response into one of a pending, disabled or failed registration.

    Errors of the service stay as they are.
    """
    if effect.assigning is not None:
        pending = _at(response, RegistrationStatus.ASSIGNING, request, {})
        if "operationId" not in response.body:  # a look-up
            return pending

        return replace(pending, status_code=HTTPStatus.ACCEPTED.value, retry_after=retry_after)

    if effect.disabled:
        return _at(response, RegistrationStatus.DISABLED, request, {})

    if effect.failed:
        code = FAILED_CODE if effect.error_code is None else effect.error_code
        why = {"errorCode": code, "errorMessage": effect.message or FAULT_MESSAGE}
        since = {"lastUpdatedDateTimeUtc": timestamp(now)}
        return _at(response, RegistrationStatus.FAILED, request, why | since)

    return response


def _at(
    response: Response, status: RegistrationStatus, request: Request, more: Mapping[str, Any]
) -> Response:
    """Write a registration status in the form of the original response."""
    state = {"registrationId": request.registration_id, "status": status.value, **more}
    operation_id = response.body.get("operationId")
    if operation_id is None:  # the response to a look-up is the state itself
        return Response(status_code=HTTPStatus.OK.value, body=state)

    body = {"operationId": operation_id, "status": status.value, "registrationState": state}
    return Response(status_code=HTTPStatus.OK.value, body=body)


def _merged(body: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Merge members into a JSON object, recursively."""
    merged = dict(body)
    for name, value in more.items():
        inner = merged.get(name)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(inner, value) if both else value  # type: ignore[arg-type]  # checked

    return merged
