"""The section of CA certificates: upload, verification code, proof of possession, delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aiodps.emulator.admin.page import views
from aiodps.emulator.admin.page.forms import Form, read_form
from aiodps.emulator.admin.page.rendering import CERTIFICATES, Rendering
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.service.service import Service

_PATH = CERTIFICATES.path


class CertificatesSection:
    """The endpoints for CA certificates.

    Args:
        service: The instance.
        rendering: Renders the pages.
        save: Called after each change, to make it durable.
    """

    def __init__(
        self, *, service: Service, rendering: Rendering, save: Callable[[], None]
    ) -> None:
        self._certificates = service.certificates
        self._rendering = rendering
        self._save = save

    def routes(self) -> list[SegmentRoute]:
        """Return the routes of this section."""
        return [
            SegmentRoute(_PATH, self._list),
            SegmentRoute(_PATH, self._upload, methods=["POST"]),
            SegmentRoute(f"{_PATH}/{{name}}/code", self._generate_code, methods=["POST"]),
            SegmentRoute(f"{_PATH}/{{name}}/verify", self._verify, methods=["POST"]),
            SegmentRoute(f"{_PATH}/{{name}}/delete", self._delete, methods=["POST"]),
        ]

    async def _list(self, _: Request) -> Response:
        return self._page(Form())

    async def _upload(self, request: Request) -> Response:
        form = await read_form(request)
        name, file, verified = (
            form.text("name"),
            form.file("certificate"),
            form.checked("verified"),
        )
        return self._try(
            lambda: self._certificates.upload(name, file, verified=verified, now=time.time()),
            f"{name} was uploaded.",
            form,
        )

    async def _generate_code(self, request: Request) -> Response:
        name = request.path_params["name"]
        return self._try(
            lambda: self._certificates.generate_verification_code(name, now=time.time()),
            f"Sign a certificate whose common name is the code, then verify {name}.",
        )

    async def _verify(self, request: Request) -> Response:
        name, form = request.path_params["name"], await read_form(request)
        return self._try(
            lambda: self._certificates.verify(name, form.file("proof"), now=time.time()),
            f"{name} is verified.",
            form,
        )

    async def _delete(self, request: Request) -> Response:
        name = request.path_params["name"]
        return self._try(lambda: self._certificates.delete(name), f"{name} was deleted.")

    def _try(self, change: Callable[[], object], done: str, form: Form | None = None) -> Response:
        """Make a change and redirect to the list; if it is refused, show why."""
        try:
            change()
        except Refusal as exc:
            self._rendering.notify(exc.message, bad=True)
            return self._page(form or Form(), status_code=HTTPStatus.BAD_REQUEST)

        self._save()
        self._rendering.notify(done)
        return RedirectResponse(_PATH, HTTPStatus.SEE_OTHER)

    def _page(self, form: Form, *, status_code: int = HTTPStatus.OK) -> Response:
        return self._rendering.page(
            "certificates.html",
            CERTIFICATES,
            status_code=status_code,
            rows=[views.certificate_card(each) for each in self._certificates],
            typed={"name": form.text("name")},
        )
