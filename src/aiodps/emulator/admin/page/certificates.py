"""The section of CA certificates: upload, replace, proof of possession, delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aiodps.emulator.admin.forms import Form, read_form
from aiodps.emulator.admin.page import views
from aiodps.emulator.admin.page.next_steps import NextSteps
from aiodps.emulator.admin.page.rendering import CERTIFICATES, Rendering
from aiodps.emulator.admin.page.thumbprints import Search
from aiodps.emulator.admin.router import SegmentRoute
from aiodps.emulator.protocol.errors import ErrorCode, Refusal
from aiodps.emulator.service.service import Service

_PATH = CERTIFICATES.path
_CHANGED = (
    "It was changed after this page was loaded, and was not replaced. Look again, and repeat."
)


class CertificatesSection:
    """The endpoints for CA certificates.

    Args:
        service: The instance.
        rendering: Renders the pages.
        next_steps: What to do next.
        save: Called after each change, to make it durable.
    """

    def __init__(
        self,
        *,
        service: Service,
        rendering: Rendering,
        next_steps: NextSteps,
        save: Callable[[], None],
    ) -> None:
        self._enrollments = service.enrollments
        self._certificates = service.certificates
        self._rendering = rendering
        self._next_steps = next_steps
        self._save = save

    def routes(self) -> list[SegmentRoute]:
        """Return the routes of this section."""
        return [
            SegmentRoute(_PATH, self._list),
            SegmentRoute(_PATH, self._upload, methods=["POST"]),
            SegmentRoute(f"{_PATH}/{{name}}/replace", self._replace, methods=["POST"]),
            SegmentRoute(f"{_PATH}/{{name}}/code", self._generate_code, methods=["POST"]),
            SegmentRoute(f"{_PATH}/{{name}}/verify", self._verify, methods=["POST"]),
            SegmentRoute(f"{_PATH}/{{name}}/delete", self._delete, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        return self._page(Form(), Search(request.query_params.get("q", "").strip()))

    async def _upload(self, request: Request) -> Response:
        form = await read_form(request)
        name, file = form.text("name"), form.file("certificate")
        if self._certificates.has(name):
            self._rendering.notify(f"{name} exists already: replace it below.", bad=True)
            return self._page(form, status_code=HTTPStatus.BAD_REQUEST)

        return self._try(
            lambda: self._certificates.upload(
                name, file, verified=form.checked("verified"), now=time.time()
            ),
            f"{name} was uploaded.",
            form,
        )

    async def _replace(self, request: Request) -> Response:
        name, form = request.path_params["name"], await read_form(request)
        verified = form.checked("verified")
        return self._try(
            lambda: self._certificates.upload(
                self._certificates.get(name).name,
                form.file("replacement"),
                verified=verified,
                if_match=form.text("etag"),
                now=time.time(),
            ),
            f"{name} was replaced{'' if verified else ', and must be verified again'}.",
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
            changed = exc.code is ErrorCode.PRECONDITION_FAILED
            self._rendering.notify(_CHANGED if changed else exc.message, bad=True)
            return self._page(form or Form(), status_code=HTTPStatus.BAD_REQUEST)

        self._save()
        self._rendering.notify(done)
        return RedirectResponse(_PATH, HTTPStatus.SEE_OTHER)

    def _page(
        self, form: Form, search: Search | None = None, *, status_code: int = HTTPStatus.OK
    ) -> Response:
        search = search or Search("")
        enrollments = list(self._enrollments)
        cards = (
            (views.certificate_card(each, enrollments), self._next_steps.of_certificate(each))
            for each in self._certificates
        )
        found = [
            (card, step)
            for card, step in cards
            if search.finds([card.name, card.facts.subject], str(card.facts.thumbprints))
        ]
        return self._rendering.page(
            "certificates.html",
            CERTIFICATES,
            status_code=status_code,
            rows=found,
            form=form,
            wanted=search.text,
        )
