"""The sections of registrations and requests: what devices do, as they do it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiodps.emulator.admin.page import views
from aiodps.emulator.admin.page.rendering import REGISTRATIONS, REQUESTS, ROWS, Rendering
from aiodps.emulator.admin.page.traffic import Traffic
from aiodps.emulator.admin.router import EVENTS, ControlAnswer, ControlRequest, Router
from aiodps.emulator.service.service import Service
from aiodps.errors import ServiceError


class RegistrationsSection:
    """Shows what devices did last and what became of them, live.

    Args:
        service: Whose registrations.
        traffic: What devices did.
        rendering: Makes the pages.
        save: Called after each change, to make it durable.
    """

    def __init__(
        self,
        *,
        service: Service,
        traffic: Traffic,
        rendering: Rendering,
        save: Callable[[], None],
    ) -> None:
        self._service = service
        self._traffic = traffic
        self._rendering = rendering
        self._save = save

    def add_routes(self, router: Router) -> None:
        """Take the addresses of these sections."""
        router.add("GET", REGISTRATIONS.path, self._list)
        router.add("GET", f"{REGISTRATIONS.path}/live", self._follow)
        router.add("POST", f"{REGISTRATIONS.path}/{{id}}/delete", self._delete)
        router.add("GET", REQUESTS.path, self._list_requests)
        router.add("GET", f"{REQUESTS.path}/live", self._follow_requests)

    async def _list(self, request: ControlRequest) -> ControlAnswer:
        known = self._service.registrations.ids()
        names = list(dict.fromkeys((*self._traffic.devices(), *known)))
        shown = names if request.query.get("all") else names[:ROWS]
        rows = self._rows(shown)
        return self._rendering.page(
            "registrations.html", REGISTRATIONS, rows=rows, total=len(names)
        )

    async def _delete(self, request: ControlRequest) -> ControlAnswer:
        name = request.parameters["id"]
        try:
            self._service.registrations.delete(name)
        except ServiceError as exc:
            self._rendering.say(exc.message, bad=True)
        else:
            self._save()
            self._rendering.say(f"The registration of {name} was deleted.")

        return ControlAnswer.redirect(REGISTRATIONS.path)

    async def _list_requests(self, _: ControlRequest) -> ControlAnswer:
        return self._rendering.page(
            "requests.html", REQUESTS, rows=views.request_rows(self._traffic)
        )

    async def _follow(self, _: ControlRequest) -> ControlAnswer:
        events = self._events(
            "registration_rows.html", lambda names: self._rows([name for name in names if name])
        )
        return ControlAnswer(content=events, content_type=EVENTS)

    async def _follow_requests(self, _: ControlRequest) -> ControlAnswer:
        last = self._traffic.last_number

        def fresh(_: list[str]) -> list[views.StepLine]:
            nonlocal last
            rows = views.request_rows(self._traffic, after=last)
            last = self._traffic.last_number
            return rows[::-1]

        events = self._events("request_rows.html", fresh)
        return ControlAnswer(content=events, content_type=EVENTS)

    async def _events(
        self, template: str, rows: Callable[[list[str]], list[Any]]
    ) -> AsyncIterator[bytes]:
        """Send rows as server-sent events; the first piece tells the browser that all is well."""
        with self._traffic.feed() as feed:
            yield b": connected\n\n"
            while True:
                html = self._rendering.fragment(template, rows=rows(await feed.next()))
                lines = (f"data: {line}\n" for line in html.splitlines() if line.strip())
                yield f"event: rows\n{''.join(lines)}\n".encode()

    def _rows(self, names: list[str]) -> list[views.RegistrationRow]:
        return views.registration_rows(self._service, self._traffic, names, now=time.time())
