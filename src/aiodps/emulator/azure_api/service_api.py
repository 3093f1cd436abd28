"""The service API: enrollments, groups and registrations, with shared access policies.

Source: Microsoft's REST reference of the DPS service API. Paths are taken in any casing and with a
slash at the end, as Microsoft's clients write them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import unquote

from aiodps.emulator.azure_api.access_policies import Access, Right
from aiodps.emulator.azure_api.bulk import BulkOperation
from aiodps.emulator.azure_api.enrollments import GROUP, INDIVIDUAL, EnrollmentCalls
from aiodps.emulator.azure_api.registrations import RegistrationCalls
from aiodps.emulator.protocol.errors import ErrorCode, Refusal, unsupported_version
from aiodps.emulator.protocol.formats import guid
from aiodps.emulator.protocol.messages import ManagementRequest, ManagementResponse
from aiodps.emulator.service.enrollments.json import API_VERSIONS
from aiodps.emulator.service.registrations import responses
from aiodps.emulator.service.service import Service

COLLECTIONS: Final = ("enrollments", "enrollmentgroups", "registrations")
"""First segments of the paths of the service API, in lower case."""
_NOT_ALLOWED = HTTPStatus.METHOD_NOT_ALLOWED
_QUERY = "query"
_ATTESTATION_MECHANISM = "attestationmechanism"


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of the service API, and the right that it needs."""

    right: Right
    run: Callable[[], ManagementResponse]


class ServiceApi:
    """The service API of an instance.

    Args:
        service: The instance.
        access: Its shared access policies.
        rng: Source of tracking ids; None for the system's.
    """

    def __init__(
        self, service: Service, access: Access, *, rng: random.Random | None = None
    ) -> None:
        self._service = service
        self._access = access
        self._rng = rng or random.SystemRandom()

    def handle(self, request: ManagementRequest, *, now: float) -> ManagementResponse:
        """Handle any request; never raises. `now` is in seconds since 1970."""
        calls: Mapping[str, _Call] = {}
        try:
            calls = self._find(request, now=now)
            call = call_of(calls, request.method)
            self._access.check(request, call.right, now=now)
            if self._service.throttle is not None:
                self._service.throttle.call_service(now=now)

            check_version(request, API_VERSIONS)
            return call.run()
        except Refusal as refused:
            return self._refuse(refused, allowed=calls, now=now)

    def _refuse(
        self, refused: Refusal, *, allowed: Iterable[str], now: float
    ) -> ManagementResponse:
        error = responses.error(refused, tracking_id=guid(self._rng), now=now)
        allow = {"Allow": ", ".join(allowed)} if refused.status_code == _NOT_ALLOWED else {}
        wait = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return ManagementResponse(
            status_code=error.status_code,
            body=error.body,
            headers={
                "x-ms-error-code": str(error.body["errorCode"]),
                "x-ms-request-id": str(error.body["trackingId"]),
                **allow,
                **wait,
            },
            why=error.why,
        )

    def _find(self, request: ManagementRequest, *, now: float) -> Mapping[str, _Call]:
        """Return the calls of a path, by method."""
        registrations = RegistrationCalls(self._service, request, now=now)
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        match parts[0].lower(), parts[1:]:
            case "registrations", rest:
                return _registration_calls(registrations, rest)
            case "enrollments" | "enrollmentgroups" as collection, rest:
                kind = INDIVIDUAL if collection == "enrollments" else GROUP
                state_of = registrations.state_of
                calls = EnrollmentCalls(self._service, kind, request, state_of=state_of, now=now)
                bulk = BulkOperation(self._service, kind, calls, now=now)
                return _enrollment_calls(calls, bulk, request, rest)
            case _:
                return {}


def _enrollment_calls(
    calls: EnrollmentCalls, bulk: BulkOperation, request: ManagementRequest, rest: list[str]
) -> Mapping[str, _Call]:
    """Return the calls for enrollments of a kind, by method."""
    read, write = Right.ENROLLMENT_READ, Right.ENROLLMENT_WRITE
    match rest:
        case []:
            return {"POST": _Call(write, lambda: bulk.run(request))}
        case [query] if query.lower() == _QUERY and request.method == "POST":
            return {"POST": _Call(read, calls.query)}
        case [name]:
            return {
                "GET": _Call(read, lambda: calls.get(name)),
                "PUT": _Call(write, lambda: calls.put(name)),
                "DELETE": _Call(write, lambda: calls.delete(name)),
            }
        case [name, literal] if literal.lower() == _ATTESTATION_MECHANISM:
            return {"POST": _Call(read, lambda: calls.attestation_mechanism(name))}
        case _:
            return {}


def _registration_calls(calls: RegistrationCalls, rest: list[str]) -> Mapping[str, _Call]:
    """Return the calls for registrations, by method."""
    match rest:
        case [name] if name:
            return {
                "GET": _Call(Right.REGISTRATION_READ, lambda: calls.get(name)),
                "DELETE": _Call(Right.REGISTRATION_WRITE, lambda: calls.delete(name)),
            }
        case [group, literal] if literal.lower() == _QUERY:
            return {"POST": _Call(Right.REGISTRATION_READ, lambda: calls.query(group))}
        case _:
            return {}


def check_version(request: ManagementRequest, supported: frozenset[str]) -> None:
    """Refuse a request without a supported api-version.

    Raises:
        Refusal: 400, if it has none or another.
    """
    if request.api_version not in supported:
        raise unsupported_version(request.api_version)


_Method = TypeVar("_Method")


def call_of(calls: Mapping[str, _Method], method: str) -> _Method:
    """Return the call of a method.

    Args:
        calls: By method; empty if there is no such resource.
        method: In upper case.

    Raises:
        Refusal: 404, if there is no such resource.
        Refusal: 405, if it does not take this method.
    """
    if not calls:
        raise Refusal(ErrorCode.NOT_FOUND, "No such resource.")

    if method not in calls:
        raise Refusal(ErrorCode.NOT_ALLOWED, "The resource does not take this method.")

    return calls[method]
