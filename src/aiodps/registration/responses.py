"""The meaning of a response: pending, an assignment, or an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, assert_never

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
from aiodps.models import Assignment, RegistrationRecord, RegistrationStatus
from aiodps.protocol.messages import Response
from aiodps.protocol.payloads import (
    ErrorDetails,
    OperationStatus,
    check_same_device,
    earlier_device_id,
    error_time,
    parse_assignment,
    parse_error,
    parse_operation,
    parse_record,
    state_error,
)
from aiodps.registration.hints import hint

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pending:
    """The service has not decided yet."""

    operation_id: str
    status: RegistrationStatus
    retry_after: float | None
    """Minimum seconds to wait; None if the service did not say."""


Interpretation: TypeAlias = Pending | Assignment | ProvisioningError


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseContext:
    """The request, as far as the meaning of its response depends on it."""

    registration_id: str
    transport: str
    hub_suffixes: Sequence[str]
    operation_id: str | None
    """The operation that was polled; None for a register request or a look-up."""


_ERRORS: dict[int, type[ServiceError]] = {
    **dict.fromkeys((400, 405, 406, 413, 415, 422), BadRequestError),
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    **dict.fromkeys((409, 412), ConflictError),
    429: ThrottledError,
    **dict.fromkeys((500, 502, 503, 504), ServiceUnavailableError),
}
"""Status codes that DPS defines; every other one is an `UnexpectedStatusError`."""

_RESEND = frozenset({408, 425})
"""The service stopped waiting for the request (408), or asks for it again (425)."""


def interpret_response(response: Response, context: ResponseContext) -> Interpretation:
    """Return what a response means; errors are returned, never raised."""
    return _interpret(response, lambda: _read_success(response, context))


def interpret_record(
    response: Response, context: ResponseContext
) -> RegistrationRecord | ProvisioningError:
    """Return what the response to a look-up means; errors are returned, never raised."""
    return _interpret(response, lambda: _read_record(response, context))


def _interpret(response: Response, read: Callable[[], T]) -> T | ProvisioningError:
    try:
        match response.status_code // 100:
            case 2:
                return read()
            case 3:
                return _redirect(response)
            case _:
                return _error(response)
    except ProvisioningError as error:
        return error


def _read_success(response: Response, context: ResponseContext) -> Interpretation:
    _check_content_type(response)
    operation = parse_operation(response.body)
    _check_same_operation(operation, context)
    status = operation.status
    match status:
        case RegistrationStatus.ASSIGNING | RegistrationStatus.UNASSIGNED:
            return _pending(operation, response, context)
        case RegistrationStatus.ASSIGNED:
            return parse_assignment(
                operation.state,
                registration_id=context.registration_id,
                transport=context.transport,
                hub_suffixes=context.hub_suffixes,
            )
        case RegistrationStatus.FAILED:
            return _failed(operation, response)
        case RegistrationStatus.DISABLED:
            return _service_error(
                RegistrationDisabledError,
                "the enrollment is disabled",
                state_error(operation.state),
                response,
            )
        case _:
            assert_never(status)


def _read_record(response: Response, context: ResponseContext) -> RegistrationRecord:
    _check_content_type(response)
    return parse_record(
        response.body,
        registration_id=context.registration_id,
        transport=context.transport,
        hub_suffixes=context.hub_suffixes,
    )


def _failed(operation: OperationStatus, response: Response) -> ServiceError:
    error = _service_error(
        RegistrationFailedError,
        "the service could not assign the device",
        state_error(operation.state),
        response,
    )
    device_id = earlier_device_id(operation.state)
    if device_id is not None and isinstance(error, RegistrationFailedError):
        error.device_id = device_id

    return error


def _check_content_type(response: Response) -> None:
    kind = response.content_type
    if kind is None or kind == "application/json" or kind.endswith("+json"):
        return

    raise MalformedResponseError(
        f"the response is {kind[:60]}, not JSON",
        reason="content_type",
        hint="a captive portal or a proxy may be responding instead of the service",
    )


def _check_same_operation(operation: OperationStatus, context: ResponseContext) -> None:
    polled = context.operation_id
    if polled is not None and operation.operation_id not in {None, polled}:
        raise IdentityMismatchError(
            "the response is about another operation",
            reason="response",
            hint="something between the device and the service mixes up responses",
        )


def _pending(operation: OperationStatus, response: Response, context: ResponseContext) -> Pending:
    check_same_device(operation.state, context.registration_id)
    operation_id = operation.operation_id or context.operation_id
    if operation_id is None:
        raise MalformedResponseError("the response has no operation id", reason="operationId")

    return Pending(operation_id, operation.status, response.retry_after)


def _redirect(response: Response) -> RedirectRefusedError:
    target = response.location or "an unnamed host"
    return RedirectRefusedError(
        f"the server redirects to {target} (status {response.status_code})", reason=target
    )


def _error(response: Response) -> ProvisioningError:
    code = response.status_code
    if code in _RESEND:
        return TransportTimeoutError(f"the service gave up on the request ({code})")

    kind, details = _ERRORS.get(code, UnexpectedStatusError), parse_error(response.body)
    error = _service_error(kind, "the service refused the request", details, response)
    if isinstance(error, UnauthorizedError):
        error.challenge = details.challenge
        error.service_time = response.service_time or error_time(details)

    return error


def _service_error(
    kind: type[ServiceError], message: str, details: ErrorDetails, response: Response
) -> ServiceError:
    return kind(
        f"{message}: {details.message or 'no reason given'}",
        status_code=response.status_code,
        error_code=details.error_code,
        tracking_id=details.tracking_id or response.request_id,
        timestamp=details.timestamp,
        retry_after=response.retry_after,
        hint=hint(details),
    )
