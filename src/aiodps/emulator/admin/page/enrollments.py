"""The sections of individual enrollments and of groups: list, add, disable, delete.

A form becomes the JSON that the service API takes, so that the page can do nothing that Azure's
clients cannot. Changes ignore etags: the user of the page decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aiodps.emulator.admin.page import views
from aiodps.emulator.admin.page.forms import Form, read_form
from aiodps.emulator.admin.page.rendering import ENROLLMENTS, GROUPS, ROWS, Rendering, Section
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.protocol.x509 import read_certificate
from aiodps.emulator.service.enrollments.enrollment import (
    Enrollment,
    EnrollmentGroup,
    IndividualEnrollment,
)
from aiodps.emulator.service.enrollments.json import read_enrollment
from aiodps.emulator.service.service import Service
from aiodps.errors import CertificateError, ConfigurationError

ANY_ETAG: Final = "*"
POLICY: Final = {
    "namespaceName": "Namespace",
    "certificateAuthorityName": "Certificate authority",
    "certificatePolicyName": "Certificate policy",
}
"""Entries of the form for issuance, named as in the service API, and their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """The differences between the two sections."""

    section: Section
    what: str
    id_title: str
    id_help: str
    id_member: str
    """Name of the id in the service API."""
    lead: str
    certificates: str
    """Name of the certificates in the service API."""
    certificate_help: str
    attestations: Mapping[str, str] = field(default_factory=dict)
    """Choices of the form, and their labels."""


INDIVIDUAL: Final = Kind(
    section=ENROLLMENTS,
    what="an individual enrollment",
    id_title="Registration id",
    id_help="for X.509, the common name of the device's certificate",
    id_member="registrationId",
    lead="Each allows one device to register, and takes precedence over groups.",
    certificates="clientCertificates",
    certificate_help="the device's own; PEM or DER",
    attestations={"x509": "X.509 certificate", "symmetricKey": "Symmetric key"},
)
GROUP: Final = Kind(
    section=GROUPS,
    what="an enrollment group",
    id_title="Group name",
    id_help="any unique name",
    id_member="enrollmentGroupId",
    lead="Each allows all devices that share a credential to register: a CA or a symmetric key.",
    certificates="signingCertificates",
    certificate_help="of the CA, root or intermediate; PEM or DER",
    attestations={
        "x509": "X.509, signed by a root or intermediate CA",
        "caReference": "X.509, signed by a CA certificate of this instance",
        "symmetricKey": "Symmetric key",
    },
)


class EnrollmentsSection:
    """The endpoints for enrollments of one kind.

    Args:
        kind: `INDIVIDUAL` or `GROUP`.
        service: The instance.
        rendering: Renders the pages.
        save: Called after each change, to make it durable.
    """

    def __init__(
        self, kind: Kind, *, service: Service, rendering: Rendering, save: Callable[[], None]
    ) -> None:
        self._kind = kind
        self._path = kind.section.path
        self._service = service
        self._rendering = rendering
        self._save = save

    def routes(self) -> list[SegmentRoute]:
        """Return the routes of this section."""
        return [
            SegmentRoute(self._path, self._list),
            SegmentRoute(f"{self._path}/new", self._new),
            SegmentRoute(f"{self._path}/new", self._add, methods=["POST"]),
            SegmentRoute(f"{self._path}/{{id}}", self._detail),
            SegmentRoute(f"{self._path}/{{id}}/status", self._set_status, methods=["POST"]),
            SegmentRoute(f"{self._path}/{{id}}/delete", self._delete, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        kind = EnrollmentGroup if self._kind is GROUP else IndividualEnrollment
        search = request.query_params.get("q", "").strip()
        found = [
            each
            for each in self._service.enrollments
            if isinstance(each, kind) and search.lower() in each.id.lower()
        ]
        shown = found if request.query_params.get("all") else found[:ROWS]
        rows = [views.enrollment_row(each) for each in shown]
        return self._page("enrollments.html", rows=rows, total=len(found), wanted=search)

    async def _new(self, _: Request) -> Response:
        return self._form(Form(fields={"enabled": "yes"}))

    async def _add(self, request: Request) -> Response:
        form = await read_form(request)
        try:
            name = self._enroll(form)
        except (ConfigurationError, Refusal) as exc:
            # The input is kept; browsers do not keep files.
            self._rendering.notify(exc.message, bad=True)
            return self._form(form, status_code=HTTPStatus.BAD_REQUEST)

        return self._done(f"{name} was added.")

    def _enroll(self, form: Form) -> str:
        enrollment = read_enrollment(self._document(form), source="the form")
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
            path=f"{self._path}/{quote(name, safe='')}",
            facts=views.enrollment_facts(found),
            keys=views.enrollment_keys(found),
            document=views.enrollment_document(found),
        )

    async def _set_status(self, request: Request) -> Response:
        name = request.path_params["id"]
        found = self._find(name)
        if found is None:
            return self._rendering.not_found(self._kind.section, name)

        form = await read_form(request)
        changed = replace(found, enabled=form.checked("enabled"))
        self._service.enrollments.put(changed, if_match=ANY_ETAG, now=time.time())
        return self._done(f"{name} is {'enabled' if changed.enabled else 'disabled'}.")

    async def _delete(self, request: Request) -> Response:
        name = request.path_params["id"]
        found = self._find(name)
        if found is None:
            return self._rendering.not_found(self._kind.section, name)

        self._service.enrollments.remove(found)
        return self._done(f"{name} was deleted. Its devices stay registered.")

    def _find(self, name: str) -> Enrollment | None:
        enrollments = self._service.enrollments
        return enrollments.group(name) if self._kind is GROUP else enrollments.individual(name)

    def _done(self, text: str) -> Response:
        self._save()
        self._rendering.notify(text)
        return RedirectResponse(self._path, HTTPStatus.SEE_OTHER)

    def _form(self, form: Form, *, status_code: int = HTTPStatus.OK) -> Response:
        names = ("id", "attestation", "ca", "device_id", "hub", "enabled", *POLICY)
        return self._page(
            "enrollment_new.html",
            status_code=status_code,
            typed={name: form.text(name) for name in names},
            policy=POLICY,
            group=self._kind is GROUP,
            hubs=self._service.linked_hubs,
            cas=[each.name for each in self._service.certificates],
        )

    def _page(self, template: str, **values: Any) -> Response:
        return self._rendering.page(template, self._kind.section, kind=self._kind, **values)

    def _document(self, form: Form) -> dict[str, Any]:
        """Convert a form to an enrollment of the service API."""
        document: dict[str, Any] = {
            self._kind.id_member: form.text("id") or None,
            "attestation": self._attestation(form),
            "provisioningStatus": "enabled" if form.checked("enabled") else "disabled",
        }
        if device_id := form.text("device_id"):
            document["deviceId"] = device_id

        if hub := form.text("hub"):
            document |= {"allocationPolicy": "static", "iotHubs": [hub]}

        return document | {name: text for name in POLICY if (text := form.text(name))}

    def _attestation(self, form: Form) -> dict[str, Any]:
        match form.text("attestation"):
            case "symmetricKey":
                names = {"primaryKey": "primary_key", "secondaryKey": "secondary_key"}
                keys = {name: form.text(entry) or None for name, entry in names.items()}
                return {"type": "symmetricKey", "symmetricKey": keys}
            case "caReference":
                references = {"primary": form.text("ca") or None}
                return {"type": "x509", "x509": {"caReferences": references}}
            case _:
                return {"type": "x509", "x509": {self._kind.certificates: _uploaded(form)}}


def _uploaded(form: Form) -> dict[str, dict[str, str]]:
    given = {name: form.file(name) for name in ("primary", "secondary")}
    if not given["primary"]:
        raise ConfigurationError("choose the primary certificate", setting="primary")

    return {name: {"certificate": _pem(name, file)} for name, file in given.items() if file}


def _pem(name: str, file: bytes) -> str:
    """Convert an uploaded certificate, PEM or DER, to PEM."""
    try:
        certificate = read_certificate(file)
    except CertificateError as exc:
        raise ConfigurationError(
            f"the {name} certificate is neither PEM nor DER", setting=name
        ) from exc

    return certificate.public_bytes(Encoding.PEM).decode()
