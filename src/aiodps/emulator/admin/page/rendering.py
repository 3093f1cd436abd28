"""Rendering of templates: one frame for every section, with messages at the top."""

from __future__ import annotations

import datetime as dt
from collections import deque
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import jinja2
from starlette.responses import HTMLResponse

ROWS: Final = 200
"""Rows of a list at first: a load test leaves thousands."""


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the navigation."""

    path: str
    title: str


OVERVIEW: Final = Section("/", "Overview")
ENROLLMENTS: Final = Section("/enrollments", "Individual enrollments")
GROUPS: Final = Section("/groups", "Enrollment groups")
CERTIFICATES: Final = Section("/certificates", "Certificates")
HUBS: Final = Section("/hubs", "Linked IoT hubs")
REGISTRATIONS: Final = Section("/registrations", "Registrations")
REQUESTS: Final = Section("/requests", "Requests")
SECTIONS: Final = (OVERVIEW, ENROLLMENTS, GROUPS, CERTIFICATES, HUBS, REGISTRATIONS, REQUESTS)


def date(time: float) -> str:
    """Write a time, in seconds since 1970, for people."""
    return f"{dt.datetime.fromtimestamp(time, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


@cache
def _templates() -> jinja2.Environment:
    """Environment of the templates; it compiles each once, for all emulators of a process."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("aiodps.emulator.admin.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"sections": SECTIONS}
    return environment


class Rendering:
    """Renders templates to HTML; all values are escaped.

    Args:
        id_scope: Of the instance, shown on every page.
    """

    def __init__(self, *, id_scope: str) -> None:
        self._id_scope = id_scope
        self._messages: deque[dict[str, Any]] = deque(maxlen=5)

    def notify(self, text: str, *, bad: bool = False) -> None:
        """Show a message at the top of the next page."""
        self._messages.append({"text": text, "bad": bad})

    def page(
        self, template: str, section: Section, *, status_code: int = HTTPStatus.OK, **values: Any
    ) -> HTMLResponse:
        """Render a page of a section."""
        messages = list(self._messages)
        self._messages.clear()
        html = self.fragment(template, here=section.path, messages=messages, **values)
        return HTMLResponse(html, int(status_code))

    def fragment(self, template: str, **values: Any) -> str:
        """Render a part of a page."""
        return _templates().get_template(template).render(id_scope=self._id_scope, **values)

    def not_found(self, section: Section, name: str) -> HTMLResponse:
        """Render the page for a name that does not exist."""
        return self.page(
            "problem.html",
            section,
            status_code=HTTPStatus.NOT_FOUND,
            title="Not found",
            text=f"{name} does not exist, or has been deleted.",
        )
