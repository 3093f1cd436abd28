"""What an answer means: a pure function from the service's response to one of three things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from aiodps.errors import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    IdentityMismatchError,
    MalformedResponseError,
    NotFoundError,
    ProvisioningError,
    RedirectRefusedError,
    RegistrationDisabledError,
    RegistrationFailedError,
    ServiceError,
    ServiceUnavailableError,
    ThrottledError,
    TransportTimeoutError,
    UnauthorizedError,
    UnexpectedStatusError,
)
from aiodps.models import Assignment, RegistrationStatus
from aiodps.protocol.messages import Response
from aiodps.protocol.payloads import (
    ErrorDetails,
    OperationStatus,
    check_same_device,
    parse_assignment,
    parse_error,
    parse_operation,
    state_error,
)


@dataclass(frozen=True, slots=True)
class Pending:
    """The service is still working on it."""

    operation_id: str
    status: RegistrationStatus
    retry_after: float | None
    """Seconds to wait at least; None if the service did not say."""


Answer: TypeAlias = Pending | Assignment | ProvisioningError


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseContext:
    """What was asked, as far as the answer's meaning depends on it."""

    registration_id: str
    transport: str
    hub_suffixes: Sequence[str]
    operation_id: str | None
    """The operation that was polled; None for a register request."""


_REFUSALS: dict[int, type[ServiceError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: BadRequestError,
    406: BadRequestError,
    409: ConflictError,
    412: ConflictError,
    413: BadRequestError,
    415: BadRequestError,
    422: BadRequestError,
    429: ThrottledError,
    500: ServiceUnavailableError,
    502: ServiceUnavailableError,
    503: ServiceUnavailableError,
    504: ServiceUnavailableError,
}
"""Status codes with a meaning; every other one is an `UnexpectedStatusError`."""

_LATE = frozenset({408, 425})
"""The service gave up waiting for the request (408), or wants it again (425)."""

_HINTS = {
    401002: "the usual reasons: the device does not send its intermediates, the CA is not "
    "verified, the certificate is not the enrolled one, or no enrollment matches",
    404201: "no enrollment exists for this registration id: create one, or check the id",
}
"""Next steps for codes that mean something particular; seen on the live service."""


def interpret_response(response: Response, question: ResponseContext) -> Answer:
    """Say what a response means; errors are returned, never raised."""
    try:
        match response.status_code // 100:
            case 2:
                return _read_success(response, question)
            case 3:
                return _redirect(response)
            case _:
                return _refusal(response)
    except ProvisioningError as error:
        return error


def _read_success(response: Response, question: ResponseContext) -> Answer:
    _check_content_type(response)
    operation = parse_operation(response.body)
    _check_same_operation(operation, question)
    status = operation.status
    match status:
        case RegistrationStatus.ASSIGNING | RegistrationStatus.UNASSIGNED:
            return _pending(operation, response, question)
        case RegistrationStatus.ASSIGNED:
            return parse_assignment(
                operation.state,
                registration_id=question.registration_id,
                transport=question.transport,
                hub_suffixes=question.hub_suffixes,
            )
        case RegistrationStatus.FAILED:
            return _failed(operation, response)
        case RegistrationStatus.DISABLED:
            return _disabled(operation, response)
        case _:
            assert_never(status)


def _check_content_type(response: Response) -> None:
    kind = response.content_type
    if kind is None or kind == "application/json" or kind.endswith("+json"):
        return

    raise MalformedResponseError(
        f"the answer is {kind[:60]}, not JSON",
        reason="content_type",
        hint="a captive portal or a proxy may be answering instead of the service",
    )


def _check_same_operation(operation: OperationStatus, question: ResponseContext) -> None:
    asked = question.operation_id
    if asked is not None and operation.operation_id not in {None, asked}:
        raise IdentityMismatchError(
            "the service answered about another operation",
            reason="response",
            hint="something between device and service mixes up answers",
        )


def _pending(operation: OperationStatus, response: Response, question: ResponseContext) -> Pending:
    check_same_device(operation.state, question.registration_id)
    operation_id = operation.operation_id or question.operation_id
    if operation_id is None:
        raise MalformedResponseError("the answer has no operation id", reason="operationId")

    return Pending(operation_id, operation.status, response.retry_after)


def _failed(operation: OperationStatus, response: Response) -> RegistrationFailedError:
    details = state_error(operation.state)
    reason = details.message or "the service gave no reason"
    return RegistrationFailedError(
        f"the service could not assign the device: {reason}",
        status_code=response.status_code,
        error_code=details.error_code,
        tracking_id=details.tracking_id or response.request_id,
        timestamp=details.timestamp,
    )


def _disabled(operation: OperationStatus, response: Response) -> RegistrationDisabledError:
    details = state_error(operation.state)
    return RegistrationDisabledError(
        "the enrollment of the device is disabled",
        status_code=response.status_code,
        error_code=details.error_code,
        tracking_id=details.tracking_id or response.request_id,
        timestamp=details.timestamp,
    )


def _redirect(response: Response) -> RedirectRefusedError:
    target = response.location or "an unnamed place"
    return RedirectRefusedError(
        f"the server answered {response.status_code} and points to {target}", reason=target
    )


def _refusal(response: Response) -> ProvisioningError:
    code = response.status_code
    if code in _LATE:
        return TransportTimeoutError(f"the service gave up on the request ({code})")

    details = parse_error(response.body)
    kind = _REFUSALS.get(code, UnexpectedStatusError)
    return kind(
        f"the service refused: {details.message or 'it gave no reason'}",
        status_code=code,
        error_code=details.error_code,
        tracking_id=details.tracking_id or response.request_id,
        timestamp=details.timestamp,
        retry_after=response.retry_after,
        hint=_hint(details),
    )


def _hint(details: ErrorDetails) -> str | None:
    return _HINTS.get(details.error_code) if details.error_code is not None else None
