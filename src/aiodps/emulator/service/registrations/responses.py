"""The bodies of the service's responses: operation status, registration state, error.

Members and their order are those of the live responses printed in Microsoft Learn, "How to use
X.509 certificates over HTTPS without an SDK", and in its sister "How to use symmetric keys".
"""

from __future__ import annotations

from typing import Any, assert_never

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.formats import timestamp
from aiodps.emulator.protocol.messages import Response
from aiodps.emulator.service.registrations.record import Outcome, Proof, RegistrationOperation
from aiodps.models import RegistrationStatus


def accepted(operation: RegistrationOperation, *, retry_after: int) -> Response:
    """Respond to a register request: always `assigning`, and no registration state yet."""
    body = {"operationId": operation.operation_id, "status": RegistrationStatus.ASSIGNING.value}
    return Response(status_code=202, body=body, retry_after=retry_after)


def operation_status(
    operation: RegistrationOperation, registration_id: str, *, retry_after: int, now: float
) -> Response:
    """Respond to a poll: 202 while the operation is in progress, 200 once it is finished."""
    state = registration_state(operation, registration_id, now=now)
    if operation.issued and state["status"] == RegistrationStatus.ASSIGNED:
        state["issuedCertificateChain"] = list(operation.issued)

    body = {
        "operationId": operation.operation_id,
        "status": state["status"],
        "registrationState": state,
    }
    if operation.result(now) is None:
        return Response(status_code=202, body=body, retry_after=retry_after)

    return Response(status_code=200, body=body)


def registration_state(
    operation: RegistrationOperation, registration_id: str, *, now: float
) -> dict[str, Any]:
    """Return the current registration state; the id is in the device's own spelling."""
    outcome = operation.result(now)
    if outcome is None:
        return _bare_state(registration_id, RegistrationStatus.ASSIGNING)

    match outcome.status:
        case RegistrationStatus.ASSIGNED:
            return _assigned(operation, outcome, registration_id)
        case RegistrationStatus.FAILED:
            return _failed(operation, outcome, registration_id)
        case status:
            return _bare_state(registration_id, status)


def error(refused: Refusal, *, tracking_id: str, now: float) -> Response:
    """Respond with the error of a refusal, or with a challenge."""
    if refused.authentication_key is not None:
        return Response(status_code=refused.status_code, body=_challenge(refused))

    body = {
        "errorCode": int(refused.code),
        "trackingId": tracking_id,
        "message": refused.message,
        "timestampUtc": timestamp(now),
    }
    return Response(
        status_code=refused.status_code,
        body=body,
        retry_after=refused.retry_after,
        why=refused.why,
    )


def _challenge(refused: Refusal) -> dict[str, Any]:
    return {
        "message": refused.message,
        "authenticationKey": refused.authentication_key,
        "unencryptedAuthenticationKey": None,
        "keyName": "registration",
    }


def _bare_state(registration_id: str, status: RegistrationStatus) -> dict[str, Any]:
    return {"registrationId": registration_id, "status": status.value}


def _assigned(
    operation: RegistrationOperation, outcome: Outcome, registration_id: str
) -> dict[str, Any]:
    hub_device, substatus = outcome.hub_device, outcome.substatus
    assert hub_device is not None  # noqa: S101 (every assigned device has one)
    state = {
        **_proof(operation),
        "registrationId": registration_id,
        "createdDateTimeUtc": timestamp(operation.created),
        "assignedHub": hub_device.hub,
        "deviceId": hub_device.device_id,
        "status": outcome.status.value,
        "substatus": substatus and substatus.value,
        "lastUpdatedDateTimeUtc": timestamp(operation.finished),
        "etag": operation.etag,
    }
    return state if outcome.payload is None else {**state, "payload": outcome.payload}


def _proof(operation: RegistrationOperation) -> dict[str, Any]:
    """Return how the device was authenticated; empty for a key of its own (seen on the wire)."""
    if operation.enrollment_group_id is not None:
        return {operation.proof.value: {"enrollmentGroupId": operation.enrollment_group_id}}

    match operation.proof:
        case Proof.X509:
            return {"x509": {}}
        case Proof.TPM:
            return {"tpm": {"authenticationKey": operation.hub_key}}
        case Proof.SYMMETRIC_KEY:
            return {}
        case _:
            assert_never(operation.proof)


def _failed(
    operation: RegistrationOperation, outcome: Outcome, registration_id: str
) -> dict[str, Any]:
    device_id = {} if outcome.device_id is None else {"deviceId": outcome.device_id}
    return {
        "registrationId": registration_id,
        "createdDateTimeUtc": timestamp(operation.created),
        **device_id,
        "status": outcome.status.value,
        "errorCode": outcome.error_code,
        "errorMessage": outcome.error_message,
        "lastUpdatedDateTimeUtc": timestamp(operation.finished),
        "etag": operation.etag,
    }
