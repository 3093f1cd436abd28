"""The sections of registrations and requests, updated live."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aiodps.emulator.admin.page import registration_views as views
from aiodps.emulator.admin.page.next_steps import NextSteps
from aiodps.emulator.admin.page.recent_requests import RecentRequests
from aiodps.emulator.admin.page.rendering import REGISTRATIONS, REQUESTS, ROWS, Rendering
from aiodps.emulator.admin.page.thumbprints import Search, thumbprints_of
from aiodps.emulator.admin.responses import EventStream
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.request_log.log import RequestLog
from aiodps.emulator.service.service import Service


class RegistrationsSection:
    """The endpoints for registrations and requests.

    Args:
        service: The instance.
        recent: The latest requests.
        request_log: All requests that are kept, for the story of a device.
        rendering: Renders the pages.
        next_steps: What to do next.
        save: Called after each change, to make it durable.
    """

    def __init__(
        self,
        *,
        service: Service,
        recent: RecentRequests,
        request_log: RequestLog,
        rendering: Rendering,
        next_steps: NextSteps,
        save: Callable[[], None],
    ) -> None:
        self._service = service
        self._traffic = recent
        self._log = request_log
        self._rendering = rendering
        self._next_steps = next_steps
        self._save = save

    def routes(self) -> list[SegmentRoute]:
        """Return the routes of these sections."""
        return [
            SegmentRoute(REGISTRATIONS.path, self._list),
            SegmentRoute(f"{REGISTRATIONS.path}/live", self._follow),
            SegmentRoute(f"{REGISTRATIONS.path}/{{id}}/requests", self._detail),
            SegmentRoute(f"{REGISTRATIONS.path}/{{id}}/delete", self._delete, methods=["POST"]),
            SegmentRoute(REQUESTS.path, self._list_requests),
            SegmentRoute(f"{REQUESTS.path}/live", self._follow_requests),
        ]

    async def _list(self, request: Request) -> Response:
        known = self._service.registrations.ids()
        names = list(dict.fromkeys((*self._traffic.devices(), *known)))
        search = Search(request.query_params.get("q", "").strip())
        found = [name for name in names if search.finds([name], self._thumbprints(name, search))]
        shown = found if request.query_params.get("all") else found[:ROWS]
        return self._rendering.page(
            "registrations.html",
            REGISTRATIONS,
            rows=self._rows(shown),
            total=len(found),
            wanted=search.text,
        )

    async def _detail(self, request: Request) -> Response:
        name, now = request.path_params["id"], time.time()
        steps = views.story(self._log, name)
        operation = self._service.registrations.latest(name)
        if operation is None and not steps:
            return self._rendering.not_found(REGISTRATIONS, name)

        row = views.registration_row(self._service, steps, name, now=now)
        step = self._next_steps.of_device(
            name,
            steps[0].exchange if steps else None,
            operation.result(now) if operation else None,
            registered=operation is not None,
        )
        return self._rendering.page(
            "registration.html",
            REGISTRATIONS,
            each=row,
            facts=views.registration_facts(self._service, row),
            enrollment=self._next_steps.enrollment_path(name),
            step=step,
            kept=self._log.size,
        )

    async def _delete(self, request: Request) -> Response:
        name = request.path_params["id"]
        try:
            self._service.registrations.delete(name)
        except Refusal as exc:
            self._rendering.notify(exc.message, bad=True)
        else:
            self._save()
            self._rendering.notify(f"The registration of {name} was deleted.")

        return RedirectResponse(REGISTRATIONS.path, HTTPStatus.SEE_OTHER)

    async def _list_requests(self, _: Request) -> Response:
        rows = views.request_rows(self._traffic)
        return self._rendering.page("requests.html", REQUESTS, rows=rows)

    async def _follow(self, _: Request) -> Response:
        def changed(names: list[str]) -> list[views.RegistrationRow]:
            return self._rows([name for name in names if name])

        return EventStream(self._events("registration_rows.html", changed))

    async def _follow_requests(self, _: Request) -> Response:
        last = self._traffic.last_number

        def fresh(_: list[str]) -> list[views.StepLine]:
            nonlocal last
            rows = views.request_rows(self._traffic, after=last)
            last = self._traffic.last_number
            return rows[::-1]

        return EventStream(self._events("request_rows.html", fresh))

    async def _events(
        self, template: str, rows: Callable[[list[str]], list[Any]]
    ) -> AsyncGenerator[bytes, None]:
        """Yield rows as server-sent events; the first piece confirms the connection."""
        with self._traffic.feed() as feed:
            yield b": connected\n\n"
            while True:
                html = self._rendering.fragment(template, rows=rows(await feed.next()))
                lines = (f"data: {line}\n" for line in html.splitlines() if line.strip())
                yield f"event: rows\n{''.join(lines)}\n".encode()

    def _thumbprints(self, name: str, search: Search) -> str:
        """Return the thumbprints of a device, as presented and as enrolled."""
        if not search.digits:
            return ""

        enrollment = self._service.enrollments.individual(name)
        enrolled = thumbprints_of(enrollment) if enrollment else ""
        presented = (step.exchange.thumbprint or "" for step in self._traffic.steps(name))
        return " ".join((enrolled, *presented))

    def _rows(self, names: list[str]) -> list[views.RegistrationRow]:
        return views.registration_rows(self._service, self._traffic, names, now=time.time())
