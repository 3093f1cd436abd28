"""The section of linked IoT hubs: link, change the weight, remove."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aiodps.emulator.admin.forms import Form, read_form
from aiodps.emulator.admin.page.rendering import HUBS, Rendering
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.service.enrollments.allocation import MAX_WEIGHT
from aiodps.emulator.service.service import Service
from aiodps.errors import ConfigurationError

_NAMED = 5
"""Enrollments that a refusal names at most."""


class HubsSection:
    """The endpoints for linked IoT hubs.

    Args:
        service: The instance.
        rendering: Renders the pages.
        save: Called after each change, to make it durable.
    """

    def __init__(
        self, *, service: Service, rendering: Rendering, save: Callable[[], None]
    ) -> None:
        self._service = service
        self._hubs = service.linked_hubs
        self._rendering = rendering
        self._save = save

    def routes(self) -> list[SegmentRoute]:
        """Return the routes of this section."""
        return [
            SegmentRoute(HUBS.path, self._list),
            SegmentRoute(HUBS.path, self._link, methods=["POST"]),
            SegmentRoute(f"{HUBS.path}/{{name}}/weight", self._set_weight, methods=["POST"]),
            SegmentRoute(f"{HUBS.path}/{{name}}/delete", self._remove, methods=["POST"]),
        ]

    async def _list(self, _: Request) -> Response:
        return self._page(Form())

    async def _link(self, request: Request) -> Response:
        form = await read_form(request)
        name = form.text("name")
        if any(name.lower() == each.lower() for each in self._hubs):
            return self._refused(f"{name} is linked already", form)

        return self._set(name, form, f"{name} is linked.")

    async def _set_weight(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._hubs:
            return self._rendering.not_found(HUBS, name)

        form = await read_form(request)
        return self._set(name, form, f"The weight of {name} is {form.text('weight') or 1}.")

    async def _remove(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._hubs:
            return self._rendering.not_found(HUBS, name)

        if users := self._enrollments().get(name):
            return self._refused(f"{name} is in use: {_listed(users)} name it. Edit them first")

        if len(self._hubs) == 1:
            return self._refused(f"{name} is the only hub: link another one first")

        self._hubs.unlink(name)
        return self._done(
            f"{name} is not linked any more. Its devices keep it until they register again."
        )

    def _set(self, name: str, form: Form, done: str) -> Response:
        try:
            self._hubs.link(name, weight=form.text("weight"))
        except ConfigurationError as exc:
            hint = f"; {exc.hint}" if exc.hint else ""
            return self._refused(f"{exc.message}{hint}", form)

        return self._done(done)

    def _enrollments(self) -> dict[str, list[str]]:
        """Return the ids of the enrollments that name a hub, by hub."""
        found: dict[str, list[str]] = {}
        for each in self._service.enrollments:
            for hub in each.allocation.named:
                found.setdefault(hub, []).append(each.id)

        return found

    def _devices(self) -> Counter[str]:
        """Count the devices that are assigned to each hub."""
        now = time.time()
        records = self._service.registrations.records()
        assigned = (record.hub_device(now) for record in records)
        return Counter(each.hub for each in assigned if each is not None)

    def _done(self, text: str) -> Response:
        self._save()
        self._rendering.notify(text)
        return RedirectResponse(HUBS.path, HTTPStatus.SEE_OTHER)

    def _refused(self, why: str, form: Form | None = None) -> Response:
        self._rendering.notify(f"{why}.", bad=True)
        return self._page(form or Form(), status_code=HTTPStatus.BAD_REQUEST)

    def _page(self, form: Form, *, status_code: int = HTTPStatus.OK) -> Response:
        devices, enrollments = self._devices(), self._enrollments()
        rows = [
            {
                "name": name,
                "weight": weight,
                "devices": devices[name],
                "enrollments": enrollments.get(name, []),
            }
            for name, weight in self._hubs.weights.items()
        ]
        return self._rendering.page(
            "hubs.html",
            HUBS,
            status_code=status_code,
            rows=rows,
            form=form,
            most=MAX_WEIGHT,
        )


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
