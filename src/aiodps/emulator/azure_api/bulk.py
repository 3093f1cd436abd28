"""Bulk operations: up to ten enrollments in one request, each of which may fail by itself.

Source: Microsoft's REST reference of the DPS service API, "Run Bulk Operation".
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from aiodps.emulator.azure_api.enrollments import EnrollmentCalls, Kind
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.json_input import read_body
from aiodps.emulator.protocol.json_object import JsonObject
from aiodps.emulator.protocol.messages import ManagementRequest, ManagementResponse
from aiodps.emulator.service.service import Service
from aiodps.errors import ConfigurationError

LARGEST: Final = 10
"""Enrollments in one request."""


class BulkMode(enum.StrEnum):
    """The operation on each enrollment."""

    CREATE = "create"
    UPDATE = "update"
    UPDATE_IF_MATCH_ETAG = "updateIfMatchETag"
    DELETE = "delete"


class BulkOperation:
    """A bulk operation on enrollments of one kind.

    Args:
        service: The instance.
        kind: Individual enrollments or groups.
        calls: The calls for one of them.
        now: Seconds since 1970.
    """

    def __init__(
        self, service: Service, kind: Kind, calls: EnrollmentCalls, *, now: float
    ) -> None:
        self._service = service
        self._kind = kind
        self._calls = calls
        self._now = now

    def run(self, request: ManagementRequest) -> ManagementResponse:
        """Run the operation on each enrollment; list the errors.

        Raises:
            Refusal: 400, if the request as a whole is invalid; then nothing is changed.
        """
        document = read_body(request.body)
        mode = _read_mode(document)
        items = _read_items(document, self._kind)
        errors = [error for item in items if (error := self._try(mode, item)) is not None]
        body = {"isSuccessful": not errors, "errors": errors}
        return ManagementResponse(status_code=HTTPStatus.OK.value, body=body)

    def _try(self, mode: BulkMode, item: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            self._do(mode, item)
        except Refusal as refused:
            return {
                self._kind.id_member: item[self._kind.id_member],
                "errorCode": int(refused.code),
                "errorStatus": refused.message,
            }

        return None

    def _do(self, mode: BulkMode, item: Mapping[str, Any]) -> None:
        name = item[self._kind.id_member]
        if mode is BulkMode.DELETE:
            self._service.enrollments.remove(self._calls.find(name))
            return

        if_match = _etag(item) if mode is BulkMode.UPDATE_IF_MATCH_ETAG else None
        wanted = self._calls.read(item, name=name)
        if mode is BulkMode.CREATE:
            self._calls.check_new(name)
        else:
            self._calls.find(name)

        self._service.enroll(wanted, if_match=if_match, now=self._now)


def _etag(item: Mapping[str, Any]) -> str:
    etag = item.get("etag")
    if isinstance(etag, str) and etag:
        return etag

    raise Refusal(ErrorCode.PRECONDITION_FAILED, "The etag is missing.")


def _read_mode(document: Mapping[str, Any]) -> BulkMode:
    try:
        mode = JsonObject(document, "request").word("mode", BulkMode)
    except ConfigurationError as exc:
        raise Refusal(ErrorCode.BAD_REQUEST, exc.message) from exc

    if mode is None:
        raise Refusal(ErrorCode.BAD_REQUEST, "The mode is missing.")

    return mode


def _read_items(document: Mapping[str, Any], kind: Kind) -> list[Mapping[str, Any]]:
    items = document.get(kind.collection)
    if not isinstance(items, list) or not 1 <= len(items) <= LARGEST:
        raise Refusal(ErrorCode.BAD_REQUEST, f"{kind.collection} must have 1 to {LARGEST} items.")

    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get(kind.id_member), str):
            raise Refusal(ErrorCode.BAD_REQUEST, f"{kind.id_member} is missing.")

    return items
