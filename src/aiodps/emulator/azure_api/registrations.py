"""The service API for registrations: states to read and delete.

Source: Microsoft's REST reference of the DPS service API, "Device Registration State". They are
read and deleted by registration id, but listed by enrollment group id.
"""

from __future__ import annotations

from typing import Any

from aiodps.emulator.azure_api.paging import page_of
from aiodps.emulator.protocol.api_versions import shape_state
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import timestamp
from aiodps.emulator.protocol.messages import ManagementRequest, ManagementResponse
from aiodps.emulator.service.registrations.responses import registration_state
from aiodps.emulator.service.service import Service

ITEM_TYPE = "deviceRegistration"
_DEVICE_ONLY = ("x509", "symmetricKey", "tpm", "issuedCertificateChain")
"""Members of a registration state that the service API does not have."""


class RegistrationCalls:
    """The calls for registrations; `now` is in seconds since 1970."""

    def __init__(self, service: Service, request: ManagementRequest, *, now: float) -> None:
        self._service = service
        self._registrations = service.registrations
        self._request = request
        self._now = now

    def state_of(self, registration_id: str) -> dict[str, Any] | None:
        """Return a device's registration state, or None if it never registered."""
        record = self._registrations.record(registration_id)
        if record is None or not record.operations:
            return None

        operation = record.operations[-1]
        state = registration_state(operation, record.registration_id, now=self._now)
        known = {
            "createdDateTimeUtc": timestamp(record.created),
            "lastUpdatedDateTimeUtc": timestamp(min(operation.finished, self._now)),
            "etag": record.etag,
        }
        shown = {name: value for name, value in state.items() if name not in _DEVICE_ONLY}
        return known | dict(shape_state(shown, self._request.api_version or ""))

    def get(self, registration_id: str) -> ManagementResponse:
        """Return a registration state."""
        state = self.state_of(registration_id)
        if state is None:
            raise Refusal(ErrorCode.REGISTRATION_NOT_FOUND, "Registration not found.")

        return ManagementResponse(status_code=200, body=state, headers={"ETag": state["etag"]})

    def delete(self, registration_id: str) -> ManagementResponse:
        """Delete a registration; the device may register again."""
        if_match = self._request.headers.get("if-match") or None
        self._registrations.delete(registration_id, if_match=if_match)
        return ManagementResponse(status_code=204)

    def query(self, enrollment_group_id: str) -> ManagementResponse:
        """List the registrations of a group in pages."""
        ids = list(self._registrations.of_group(enrollment_group_id))
        if not ids and self._service.enrollments.group(enrollment_group_id) is None:
            raise Refusal(ErrorCode.GROUP_NOT_FOUND, "Enrollment group not found.")

        names, headers = page_of(ids, self._request, item_type=ITEM_TYPE)
        states = [state for name in names if (state := self.state_of(name)) is not None]
        return ManagementResponse(status_code=200, body=states, headers=headers)
