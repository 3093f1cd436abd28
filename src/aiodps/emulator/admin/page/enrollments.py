"""The sections of individual enrollments and of groups: list, add, edit, disable, delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aiodps.emulator.admin.forms import Form, read_form
from aiodps.emulator.admin.page import enrollment_form, views
from aiodps.emulator.admin.page.enrollment_form import GROUP, Kind
from aiodps.emulator.admin.page.next_steps import NextSteps
from aiodps.emulator.admin.page.rendering import ROWS, Rendering
from aiodps.emulator.admin.page.thumbprints import Search, thumbprints_of
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.protocol.formats import ANY
from aiodps.emulator.service.enrollments.enrollment import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
)
from aiodps.emulator.service.enrollments.json import read_enrollment
from aiodps.emulator.service.service import Service
from aiodps.errors import ConfigurationError

_NEW: Final = Form(fields={"enabled": "yes", "reprovision": "migrate"})


class EnrollmentsSection:
    """The endpoints for enrollments of one kind.

    Args:
        kind: `INDIVIDUAL` or `GROUP`.
        service: The instance.
        rendering: Renders the pages.
        next_steps: What to do next.
        save: Called after each change, to make it durable.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        service: Service,
        rendering: Rendering,
        next_steps: NextSteps,
        save: Callable[[], None],
    ) -> None:
        self._kind = kind
        self._path = kind.section.path
        self._service = service
        self._rendering = rendering
        self._next_steps = next_steps
        self._save = save

    def routes(self) -> list[SegmentRoute]:
        """Return the routes of this section."""
        one = f"{self._path}/{{id}}"
        return [
            SegmentRoute(self._path, self._list),
            SegmentRoute(f"{self._path}/new", self._new),
            SegmentRoute(f"{self._path}/new", self._add, methods=["POST"]),
            SegmentRoute(one, self._detail),
            SegmentRoute(f"{one}/edit", self._edit),
            SegmentRoute(f"{one}/edit", self._change, methods=["POST"]),
            SegmentRoute(f"{one}/swap", self._swap, methods=["POST"]),
            SegmentRoute(f"{one}/status", self._set_status, methods=["POST"]),
            SegmentRoute(f"{one}/delete", self._delete, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        kind = EnrollmentGroup if self._kind is GROUP else IndividualEnrollment
        search = Search(request.query_params.get("q", "").strip())
        found = [
            each
            for each in self._service.enrollments
            if isinstance(each, kind) and _is_found(each, search)
        ]
        shown = found if request.query_params.get("all") else found[:ROWS]
        rows = [views.enrollment_row(each) for each in shown]
        return self._page("enrollments.html", rows=rows, total=len(found), wanted=search.text)

    async def _new(self, request: Request) -> Response:
        name = request.query_params.get("id", "")
        return self._form(replace(_NEW, fields={**_NEW.fields, "id": name}))

    async def _add(self, request: Request) -> Response:
        form = await read_form(request)
        try:
            name = self._enroll(form)
        except (ConfigurationError, Refusal) as exc:
            return self._refused(form, exc)

        return self._done(f"{name} was added.", self._path)

    def _enroll(self, form: Form) -> str:
        document = enrollment_form.document_of(form, self._kind, hubs=self._service.linked_hubs)
        enrollment = read_enrollment(document, source="the form")
        name = enrollment.id
        if self._find(name) is not None:
            raise ConfigurationError(f"{name} exists already", setting="id")

        self._service.enroll(enrollment, now=time.time())
        return name

    async def _detail(self, request: Request) -> Response:
        name = request.path_params["id"]
        found = self._find(name)
        if found is None:
            return self._rendering.not_found(self._kind.section, name)

        return self._page(
            "enrollment.html",
            each=views.enrollment_row(found),
            path=self._path_of(found),
            facts=views.enrollment_facts(found),
            certificates=views.enrollment_certificates(found),
            keys=views.enrollment_keys(found),
            step=self._next_steps.of_enrollment(found, now=time.time()),
            document=views.enrollment_document(found),
        )

    async def _edit(self, request: Request) -> Response:
        name = request.path_params["id"]
        found = self._find(name)
        if found is None:
            return self._rendering.not_found(self._kind.section, name)

        return self._form(enrollment_form.form_of(found), found)

    async def _change(self, request: Request) -> Response:
        name, form = request.path_params["id"], await read_form(request)
        found = self._find(name)
        if found is None:
            return self._rendering.not_found(self._kind.section, name)

        # A user who has seen that it was changed meanwhile may save all the same.
        if_match = ANY if form.checked("overwrite") else form.text("etag")
        try:
            document = enrollment_form.document_of(
                form, self._kind, hubs=self._service.linked_hubs, older=found
            )
            changed = read_enrollment(document, source="the form")
            self._service.enroll(changed, if_match=if_match, now=time.time())
        except (ConfigurationError, Refusal) as exc:
            return self._refused(form, exc, found)

        return self._done(f"{found.id} was saved.", self._path_of(found))

    async def _swap(self, request: Request) -> Response:
        """Make the secondary credential the primary one, and the other way round."""
        name = request.path_params["id"]
        found = self._find(name)
        if found is None:
            return self._rendering.not_found(self._kind.section, name)

        primary, secondary = (getattr(found.attestation, slot, None) for slot in _SLOTS)
        if secondary is None:
            self._rendering.notify(f"{found.id} has no secondary credential.", bad=True)
            return RedirectResponse(self._path_of(found), HTTPStatus.SEE_OTHER)

        pair: Any = {"primary": secondary, "secondary": primary}
        swapped: Any = replace(found.attestation, **pair)
        changed = replace(found, attestation=swapped)
        self._service.enrollments.put(changed, if_match=ANY, now=time.time())
        return self._done(
            f"Primary and secondary of {found.id} are swapped.", self._path_of(found)
        )

    async def _set_status(self, request: Request) -> Response:
        name = request.path_params["id"]
        found = self._find(name)
        if found is None:
            return self._rendering.not_found(self._kind.section, name)

        form = await read_form(request)
        changed = replace(found, enabled=form.checked("enabled"))
        self._service.enrollments.put(changed, if_match=ANY, now=time.time())
        where = self._path_of(found) if form.checked("stay") else self._path
        return self._done(f"{name} is {'enabled' if changed.enabled else 'disabled'}.", where)

    async def _delete(self, request: Request) -> Response:
        name = request.path_params["id"]
        found = self._find(name)
        if found is None:
            return self._rendering.not_found(self._kind.section, name)

        self._service.enrollments.remove(found)
        return self._done(f"{name} was deleted. Its devices stay registered.", self._path)

    def _find(self, name: str) -> Enrollment | None:
        enrollments = self._service.enrollments
        return enrollments.group(name) if self._kind is GROUP else enrollments.individual(name)

    def _path_of(self, enrollment: Enrollment) -> str:
        return f"{self._path}/{quote(enrollment.id, safe='')}"

    def _done(self, text: str, where: str) -> Response:
        self._save()
        self._rendering.notify(text)
        return RedirectResponse(where, HTTPStatus.SEE_OTHER)

    def _refused(
        self, form: Form, exc: ConfigurationError | Refusal, older: Enrollment | None = None
    ) -> Response:
        """Show the form again with all that was given, and why it was refused."""
        form = enrollment_form.keep_files(form)
        if isinstance(exc, Refusal) and exc.code is ErrorCode.PRECONDITION_FAILED:
            return self._form(form, older, conflict=True, status_code=HTTPStatus.CONFLICT)

        self._rendering.notify(exc.message, bad=True)
        invalid = enrollment_form.field_of(exc)
        return self._form(form, older, invalid=invalid, status_code=HTTPStatus.BAD_REQUEST)

    def _form(
        self,
        form: Form,
        older: Enrollment | None = None,
        *,
        invalid: str = "",
        conflict: bool = False,
        status_code: int = HTTPStatus.OK,
    ) -> Response:
        return self._page(
            "enrollment_form.html",
            status_code=status_code,
            form=form,
            older=older and views.enrollment_row(older),
            certificates={} if older is None else views.certificates_by_slot(older),
            kept=views.kept_certificates(form),
            path=None if older is None else self._path_of(older),
            invalid=invalid,
            conflict=conflict,
            policy=enrollment_form.POLICY,
            allocation=enrollment_form.ALLOCATION,
            reprovision=enrollment_form.REPROVISION,
            hubs=self._service.linked_hubs,
            cas=[each.name for each in self._service.certificates],
        )

    def _page(self, template: str, **values: Any) -> Response:
        return self._rendering.page(template, self._kind.section, kind=self._kind, **values)


_SLOTS: Final = enrollment_form.SLOTS


def _is_found(enrollment: Enrollment, search: Search) -> bool:
    names = (enrollment.id, getattr(enrollment, "device_id", None) or "")
    return search.finds(names, thumbprints_of(enrollment) if search.digits else "")
