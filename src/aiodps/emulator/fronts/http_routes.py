"""What an HTTP request asks for: method and path to an operation.

Source: the OpenAPI file of the device API ("DeviceProvisioningServices", device.json).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote

from aiodps.emulator.fronts.http_messages import HttpRequest, RefusedError
from aiodps.emulator.management.arm import ARM_PREFIX
from aiodps.emulator.wire import Operation, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRequest:
    """A request to Azure Resource Manager, not looked into."""

    method: str
    path: str
    api_version: str | None
    authorization: str | None = field(repr=False)
    if_match: str | None
    body: bytes = field(repr=False)


Route: TypeAlias = Request | ArmRequest


class WrongMethodError(RefusedError):
    """The path is there, but not with this method."""

    def __init__(self, allowed: str) -> None:
        super().__init__(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed} is allowed for this path")
        self.allowed = allowed


def route(request: HttpRequest) -> Route:
    """Find out what is asked for.

    Literal parts of a path may be written in any case, and end with a slash or not.

    Raises:
        RefusedError: If there is nothing of that path, or not with that method.
    """
    path, _, query = request.target.partition("?")
    api_version = _api_version(query)
    if path.lower().startswith(ARM_PREFIX):
        return ArmRequest(
            method=request.method,
            path=path,
            api_version=api_version,
            authorization=request.headers.get("authorization"),
            if_match=request.headers.get("if-match"),
            body=request.body,
        )

    match [unquote(part) for part in path.removesuffix("/").split("/")]:
        case ["", id_scope, literal, registration_id, *rest] if literal.lower() == "registrations":
            operation, operation_id = _operation(request, rest)
        case _:
            raise _not_found(request)

    return Request(
        operation=operation,
        id_scope=id_scope,
        registration_id=registration_id,
        api_version=api_version,
        operation_id=operation_id,
        body=request.body,
    )


def _operation(request: HttpRequest, rest: list[str]) -> tuple[Operation, str | None]:
    """Tell the operation by what follows the registration id in the path, and by the method."""
    operation_id: str | None = None
    match rest:
        case []:
            allowed, operation = "POST", Operation.STATUS_LOOKUP
        case [literal] if literal.lower() == "register":
            allowed, operation = "PUT", Operation.REGISTER
        case [literal, operation_id] if literal.lower() == "operations":
            allowed, operation = "GET", Operation.OPERATION_STATUS
        case _:
            raise _not_found(request)

    if request.method != allowed:
        raise WrongMethodError(allowed)

    return operation, operation_id


def _not_found(request: HttpRequest) -> RefusedError:
    return RefusedError(HTTPStatus.NOT_FOUND, f"there is nothing at {request.target[:80]!r}")


def _api_version(query: str) -> str | None:
    """Read the one parameter that counts; if it comes twice, the first one."""
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.lower() == "api-version":
            return value

    return None
