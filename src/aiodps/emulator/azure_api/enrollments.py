"""The service API for enrollments: the same calls for individual ones and for groups.

Source: Microsoft's REST reference of the DPS service API, "Individual Enrollment" and "Enrollment
Group". A PUT over an existing one needs `If-Match`, with its etag or `*`; without it the response
is 409, with another etag 412 (seen on the wire).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiodps.emulator.azure_api.paging import page_of
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import is_registration_id
from aiodps.emulator.protocol.json_input import read_body
from aiodps.emulator.protocol.messages import ManagementRequest, ManagementResponse
from aiodps.emulator.service.enrollments.enrollment import Enrollment
from aiodps.emulator.service.enrollments.json import (
    check_members,
    known_members,
    read_enrollment,
    show_enrollment,
    show_mechanism,
)
from aiodps.emulator.service.enrollments.store import Enrollments
from aiodps.emulator.service.service import Service
from aiodps.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The differences between individual enrollments and groups."""

    collection: str
    """In paths, and in the body of a bulk operation."""
    id_member: str
    item_type: str
    """In the headers of pages."""
    missing: ErrorCode
    """Error if there is none."""
    find: Callable[[Enrollments, str], Enrollment | None]
    """Looks one up by its id in any casing."""
    ids: Callable[[Enrollments], Iterable[str]]
    """Lists the ids in lower case."""


INDIVIDUAL: Final = Kind(
    collection="enrollments",
    id_member="registrationId",
    item_type="enrollment",
    missing=ErrorCode.REGISTRATION_NOT_FOUND,
    find=Enrollments.individual,
    ids=Enrollments.individual_ids,
)
GROUP: Final = Kind(
    collection="enrollmentGroups",
    id_member="enrollmentGroupId",
    item_type="enrollmentGroup",
    missing=ErrorCode.GROUP_NOT_FOUND,
    find=Enrollments.group,
    ids=Enrollments.group_ids,
)

StateOf = Callable[[str], Mapping[str, Any] | None]
"""Returns the registration state of a device, or None."""


class EnrollmentCalls:
    """The calls for enrollments of one kind.

    Args:
        service: The instance.
        kind: Individual enrollments or groups.
        request: With a supported api-version.
        state_of: Returns registration states, for individual enrollments.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        service: Service,
        kind: Kind,
        request: ManagementRequest,
        *,
        state_of: StateOf,
        now: float,
    ) -> None:
        self._service = service
        self._enrollments = service.enrollments
        self._kind = kind
        self._request = request
        self._api_version = request.api_version or ""
        self._if_match = request.headers.get("if-match") or None
        self._state_of = state_of
        self._now = now

    def get(self, name: str) -> ManagementResponse:
        """Return an enrollment, without its keys."""
        found = self.find(name)
        return _ok(found, self._show(found))

    def put(self, name: str) -> ManagementResponse:
        """Create or replace an enrollment; return it with its keys."""
        wanted = self.read(read_body(self._request.body), name=name)
        if self._if_match is None:
            self.check_new(name)

        stored = self._service.enroll(wanted, if_match=self._if_match, now=self._now)
        return _ok(stored, show_enrollment(stored, api_version=self._api_version, keys=True))

    def delete(self, name: str) -> ManagementResponse:
        """Delete an enrollment."""
        self._enrollments.remove(self.find(name), if_match=self._if_match)
        return ManagementResponse(status_code=204)

    def attestation_mechanism(self, name: str) -> ManagementResponse:
        """Return an attestation mechanism, with keys."""
        found = self.find(name)
        return _ok(found, show_mechanism(found.attestation, keys=True))

    def query(self) -> ManagementResponse:
        """List all enrollments in pages; the query itself is ignored."""
        if not isinstance(read_body(self._request.body).get("query"), str):
            raise Refusal(ErrorCode.BAD_REQUEST, "The query is missing.")

        ids = self._kind.ids(self._enrollments)
        names, headers = page_of(ids, self._request, item_type=self._kind.item_type)
        body = [self._show(self.find(name)) for name in names]
        return ManagementResponse(status_code=200, body=body, headers=headers)

    def find(self, name: str) -> Enrollment:
        """Look up an enrollment.

        Raises:
            Refusal: 404, if it does not exist.
        """
        found = self._kind.find(self._enrollments, name)
        if found is None:
            raise Refusal(self._kind.missing, "Enrollment not found.")

        return found

    def check_new(self, name: str) -> None:
        """Refuse to replace an enrollment.

        Raises:
            Refusal: 409, if it exists.
        """
        if self._kind.find(self._enrollments, name) is not None:
            raise Refusal(ErrorCode.CONFLICT, "The enrollment exists already.")

    def read(self, document: Mapping[str, Any], *, name: str) -> Enrollment:
        """Read an enrollment.

        Raises:
            Refusal: 400, if it is invalid, or has another id than the path.
        """
        if not is_registration_id(name):
            raise Refusal(ErrorCode.INVALID_REQUEST, f"Invalid {self._kind.id_member}.")

        inside = document.get(self._kind.id_member)
        if not isinstance(inside, str) or inside.lower() != name.lower():
            problem = "is missing" if inside is None else "is not that of the path"
            raise Refusal(ErrorCode.BAD_REQUEST, f"{self._kind.id_member} {problem}.")

        check_members(document, api_version=self._api_version)
        members = known_members(document, api_version=self._api_version)
        try:
            return read_enrollment(members, source="enrollment")
        except ConfigurationError as exc:
            raise Refusal(ErrorCode.BAD_REQUEST, exc.message) from exc

    def _show(self, enrollment: Enrollment) -> dict[str, Any]:
        shown = show_enrollment(enrollment, api_version=self._api_version, keys=False)
        if self._kind is INDIVIDUAL:
            state = self._state_of(shown[self._kind.id_member])
            return shown if state is None else shown | {"registrationState": state}

        return shown


def _ok(enrollment: Enrollment, body: Mapping[str, Any]) -> ManagementResponse:
    return ManagementResponse(status_code=200, body=body, headers={"ETag": enrollment.etag})
