"""The admin page: its sections, static files, and the overview."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from aiodps.emulator.admin.page.certificates import CertificatesSection
from aiodps.emulator.admin.page.enrollment_form import GROUP, INDIVIDUAL
from aiodps.emulator.admin.page.enrollments import EnrollmentsSection
from aiodps.emulator.admin.page.hubs import HubsSection
from aiodps.emulator.admin.page.next_steps import NextSteps
from aiodps.emulator.admin.page.recent_requests import RecentRequests
from aiodps.emulator.admin.page.registrations import RegistrationsSection
from aiodps.emulator.admin.page.rendering import (
    CERTIFICATES,
    ENROLLMENTS,
    GROUPS,
    HUBS,
    OVERVIEW,
    REGISTRATIONS,
    Rendering,
)
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.request_log.log import RequestLog
from aiodps.emulator.service.enrollments.enrollment import EnrollmentGroup
from aiodps.emulator.service.service import Service

_STATIC: Final = {
    "icon.svg": "image/svg+xml",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}
_FACTS: Final = {
    "Host": "host",
    "HTTPS port": "https_port",
    "MQTT port": "mqtt_port",
    "Id scope": "id_scope",
    "Hub": "hub",
}
"""Labels of the overview, and the facts they stand for."""


class Page:
    """The page of one instance.

    Args:
        service: The instance to show and change.
        recent: The latest requests.
        request_log: All requests that are kept.
        facts: As for the ready file.
        ca_pem: The CA that clients must trust.
        save: Called after each change, to make it durable.
    """

    def __init__(
        self,
        *,
        service: Service,
        recent: RecentRequests,
        request_log: RequestLog,
        facts: Mapping[str, Any],
        ca_pem: bytes,
        save: Callable[[], None],
    ) -> None:
        self._service = service
        self._facts = facts
        self._ca_pem = ca_pem
        self._rendering = Rendering(id_scope=service.id_scope)
        frame: Any = {
            "service": service,
            "rendering": self._rendering,
            "next_steps": NextSteps(service, facts),
            "save": save,
        }
        self._sections = (
            EnrollmentsSection(INDIVIDUAL, **frame),
            EnrollmentsSection(GROUP, **frame),
            CertificatesSection(**frame),
            HubsSection(service=service, rendering=self._rendering, save=save),
            RegistrationsSection(recent=recent, request_log=request_log, **frame),
        )

    def routes(self) -> list[SegmentRoute]:
        """Return the routes of the page."""
        return [
            SegmentRoute(OVERVIEW.path, self._overview),
            SegmentRoute("/ca.pem", self._ca),
            *(_static(name, media_type) for name, media_type in _STATIC.items()),
            *(route for section in self._sections for route in section.routes()),
        ]

    async def _overview(self, _: Request) -> Response:
        everything = list(self._service.enrollments)
        groups = [each for each in everything if isinstance(each, EnrollmentGroup)]
        counts = {
            ENROLLMENTS: len(everything) - len(groups),
            GROUPS: len(groups),
            CERTIFICATES: len(list(self._service.certificates)),
            HUBS: len(self._service.linked_hubs),
            REGISTRATIONS: len(list(self._service.registrations.ids())),
        }
        return self._rendering.page(
            "overview.html",
            OVERVIEW,
            counts=counts,
            facts={label: self._facts[name] for label, name in _FACTS.items()},
            connection_string=self._facts["connection_string"],
        )

    async def _ca(self, _: Request) -> Response:
        return Response(self._ca_pem, media_type="application/x-pem-file")


def _static(name: str, media_type: str) -> SegmentRoute:
    content = resources.files(__package__).joinpath("static", name).read_bytes()

    async def respond(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return SegmentRoute(f"/static/{name}", respond)
