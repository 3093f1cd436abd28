"""The sections of registrations and requests, updated live."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aiodps.emulator.admin.page import views
from aiodps.emulator.admin.page.recent_requests import RecentRequests
from aiodps.emulator.admin.page.rendering import REGISTRATIONS, REQUESTS, ROWS, Rendering
from aiodps.emulator.admin.responses import EventStream
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.service.service import Service


class RegistrationsSection:
    """The endpoints for registrations and requests.

    Args:
        service: The instance.
        recent: The latest requests.
        rendering: Renders the pages.
        save: Called after each change, to make it durable.
    """

    def __init__(
        self,
        *,
        service: Service,
        recent: RecentRequests,
        rendering: Rendering,
        save: Callable[[], None],
    ) -> None:
        self._service = service
        self._traffic = recent
        self._rendering = rendering
        self._save = save

    def routes(self) -> list[SegmentRoute]:
        """Return the routes of these sections."""
        return [
            SegmentRoute(REGISTRATIONS.path, self._list),
            SegmentRoute(f"{REGISTRATIONS.path}/live", self._follow),
            SegmentRoute(f"{REGISTRATIONS.path}/{{id}}/delete", self._delete, methods=["POST"]),
            SegmentRoute(REQUESTS.path, self._list_requests),
            SegmentRoute(f"{REQUESTS.path}/live", self._follow_requests),
        ]

    async def _list(self, request: Request) -> Response:
        known = self._service.registrations.ids()
        names = list(dict.fromkeys((*self._traffic.devices(), *known)))
        wanted = request.query_params.get("q", "").strip()
        found = [name for name in names if wanted.lower() in name.lower()]
        shown = found if request.query_params.get("all") else found[:ROWS]
        return self._rendering.page(
            "registrations.html",
            REGISTRATIONS,
            rows=self._rows(shown),
            total=len(found),
            wanted=wanted,
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

    def _rows(self, names: list[str]) -> list[views.RegistrationRow]:
        return views.registration_rows(self._service, self._traffic, names, now=time.time())
