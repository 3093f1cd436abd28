"""Azure Resource Manager (ARM): authorization and routes.

Source: Microsoft's REST reference of `Microsoft.Devices/provisioningServices`. The bearer token is
the owner's key; subscription, resource group and name of the instance may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import unquote

from aiodps.emulator.azure_api.access_policies import Access
from aiodps.emulator.azure_api.arm_certificates import CertificateCalls
from aiodps.emulator.azure_api.arm_instance import RESOURCE_GROUP, InstanceCalls
from aiodps.emulator.azure_api.service_api import call_of, check_version
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.messages import ManagementRequest, ManagementResponse
from aiodps.emulator.service.service import Service
from aiodps.models import JsonObject

ARM_PREFIX = "/subscriptions/"
"""Prefix of all paths of ARM."""

API_VERSIONS = frozenset(
    {
        "2017-08-21-preview",
        "2017-11-15",
        "2018-01-22",
        "2020-01-01",
        "2020-03-01",
        "2020-09-01-preview",
        "2021-10-15",
        "2022-02-05",
        "2022-12-12",
        "2023-03-01-preview",
        "2025-02-01-preview",
        "2026-03-01-preview",
        "2026-06-01-preview",
        "2026-11-01",
    }
)
"""Versions of the management API."""


_PATH = re.compile(
    r"(?P<subscription>/subscriptions/[^/]+)(?P<group>/resourceGroups/[^/]+)?"
    r"/providers/Microsoft\.Devices/(?P<rest>.+?)/?",
    re.IGNORECASE,
)
_Calls: TypeAlias = Mapping[str, Callable[[], ManagementResponse]]
"""The calls of a resource, by method."""


class Arm:
    """Azure Resource Manager for one instance.

    Args:
        service: The instance.
        access: Its shared access policies, whose keys it shows.
    """

    def __init__(self, service: Service, access: Access) -> None:
        self._service = service
        self._access = access

    def handle(self, request: ManagementRequest, *, now: float) -> ManagementResponse:
        """Handle any request; never raises. `now` is in seconds since 1970."""
        calls: _Calls = {}
        try:
            _check_caller(request, self._access)
            calls = self._find(request, now=now)
            return call_of(calls, request.method)()
        except Refusal as refused:
            not_allowed = refused.status_code == HTTPStatus.METHOD_NOT_ALLOWED
            return ManagementResponse(
                status_code=refused.status_code,
                body=_error_to_json(refused),
                headers={"Allow": ", ".join(calls)} if not_allowed else {},
            )

    def _find(self, request: ManagementRequest, *, now: float) -> _Calls:
        """Return the calls of a path, by method."""
        path = _PATH.fullmatch(request.path)
        parts = [unquote(part) for part in path["rest"].split("/")] if path else []
        calls = InstanceCalls(self._service, self._access, request)
        match [part.lower() for part in parts], path:
            case ["checkprovisioningservicenameavailability"], re.Match():
                return {"POST": calls.check_name}
            case ["provisioningservices"], re.Match() as found:
                group = found["group"] or f"/resourceGroups/{RESOURCE_GROUP}"
                return {"GET": lambda: calls.list(found["subscription"] + group)}
            case ["provisioningservices", _, *_], re.Match() as found if found["group"]:
                instance = "/".join(request.path.split("/")[:9])
                certificates = CertificateCalls(
                    self._service.certificates, request, instance=instance, now=now
                )
                return _instance_calls(calls, certificates, parts[2:], instance=instance)
            case _:
                return {}


def _instance_calls(
    calls: InstanceCalls, certificates: CertificateCalls, rest: list[str], *, instance: str
) -> _Calls:
    """Return the calls of a path below the instance."""
    match [part.lower() for part in rest]:
        case []:
            return {"GET": lambda: calls.get(instance)}
        case ["listkeys"]:
            return {"POST": calls.list_keys}
        case ["keys", _, "listkeys"]:
            return {"POST": lambda: calls.get_keys(rest[1])}
        case ["certificates"]:
            return {"GET": certificates.list}
        case ["certificates", _, *action]:
            return _certificate_calls(certificates, rest[1], action)
        case _:
            return {}


def _certificate_calls(calls: CertificateCalls, name: str, action: list[str]) -> _Calls:
    """Return the calls of a certificate."""
    match action:
        case []:
            return {
                "GET": lambda: calls.get(name),
                "PUT": lambda: calls.put(name),
                "DELETE": lambda: calls.delete(name),
            }
        case ["generateverificationcode"]:
            return {"POST": lambda: calls.generate_verification_code(name)}
        case ["verify"]:
            return {"POST": lambda: calls.verify(name)}
        case _:
            return {}


def _check_caller(request: ManagementRequest, access: Access) -> None:
    if not access.is_bearer(request.headers.get("authorization", "")):
        raise Refusal(
            ErrorCode.UNAUTHORIZED,
            "The bearer token is missing or invalid.",
            why="the bearer token is not the owner's key",
        )

    check_version(request, API_VERSIONS)


def _error_to_json(refused: Refusal) -> JsonObject:
    return {
        "code": int(refused.code),
        "httpStatusCode": HTTPStatus(refused.status_code).phrase.replace(" ", ""),
        "message": refused.message,
        "details": "",
    }
