"""Routing of HTTP requests: from method and path to an operation.

Source: the OpenAPI file of the device API ("DeviceProvisioningServices", device.json).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import TypeAlias, assert_never
from urllib.parse import parse_qsl, unquote

from aiodps.emulator.azure_api.arm import ARM_PREFIX
from aiodps.emulator.azure_api.service_api import COLLECTIONS
from aiodps.emulator.frontends.http.requests import HttpRequest, RefusedError
from aiodps.emulator.protocol.messages import ManagementRequest, Operation, Request
from aiodps.emulator.protocol.strict_rules import StrictRule

Route: TypeAlias = Request | ManagementRequest


class WrongMethodError(RefusedError):
    """The path does not take this method."""

    def __init__(self, allowed: str) -> None:
        super().__init__(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed} is allowed for this path")
        self.allowed = allowed


def route(request: HttpRequest) -> Route:
    """Route a request.

    Literal segments of a path may be in any casing, with or without a slash at the end.

    Raises:
        RefusedError: If path or method is unknown.
    """
    path, _, query = request.target.partition("?")
    parameters = _parameters(query)
    if _is_management(path.lower()):
        return ManagementRequest(
            method=request.method,
            path=path,
            query=parameters,
            headers=request.headers,
            body=request.body,
        )

    match _segments(path):
        case ["", id_scope, literal, registration_id, *rest] if literal.lower() == "registrations":
            operation, operation_id = _operation(request, rest)
        case _:
            raise _not_found(request)

    api_version = parameters.get("api-version")
    base = f"/{id_scope}/registrations/{registration_id}"
    return Request(
        operation=operation,
        id_scope=id_scope,
        registration_id=registration_id,
        api_version=api_version,
        operation_id=operation_id,
        body=request.body,
        deviations=lambda: http_deviations(
            request, base + _end(operation, operation_id), f"api-version={api_version}"
        ),
    )


def _segments(path: str) -> list[str]:
    parts = path.removesuffix("/").split("/")
    return [unquote(part) for part in parts] if "%" in path else parts


def _is_management(path: str) -> bool:
    first, _, _ = path.removeprefix("/").partition("/")
    return path.startswith(ARM_PREFIX) or first in COLLECTIONS


def _operation(request: HttpRequest, rest: list[str]) -> tuple[Operation, str | None]:
    """Return operation and operation id of a path, from the part after the registration id."""
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


@lru_cache(maxsize=64)
def _parameters(query: str) -> Mapping[str, str]:
    """Read the parameters, names in lower case; the first of repeated ones.

    Devices send the same few ones again and again.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    return {name.lower(): value for name, value in reversed(pairs)}


def http_deviations(
    request: HttpRequest, known_path: str, known_query: str
) -> tuple[StrictRule, ...]:
    """Return the strict rules that an HTTP request breaks."""
    path, _, query = request.target.partition("?")
    known = unquote(path) == known_path and query == known_query
    content_type, _, _ = request.headers.get("content-type", "").partition(";")
    is_json = content_type.strip().lower() == "application/json"
    breaks = (
        (StrictRule.HTTP_TARGET, not known),
        (StrictRule.CONTENT_ENCODING, "content-encoding" in request.headers),
        (StrictRule.BODY_ON_GET, request.body and request.method == "GET"),
        (StrictRule.CONTENT_TYPE, request.body and not is_json),
    )
    return tuple(rule for rule, broken in breaks if broken)


def _end(operation: Operation, operation_id: str | None) -> str:
    """Return the part of the path after the registration id, as the specification writes it."""
    match operation:
        case Operation.REGISTER:
            return "/register"
        case Operation.OPERATION_STATUS:
            return f"/operations/{operation_id}"
        case Operation.STATUS_LOOKUP:
            return ""
        case _:
            assert_never(operation)
