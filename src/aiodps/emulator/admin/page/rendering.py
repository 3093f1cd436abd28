"""From templates to answers: one frame for every section, and what is said on top of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
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
REGISTRATIONS: Final = Section("/registrations", "Registrations")
REQUESTS: Final = Section("/requests", "Requests")
SECTIONS: Final = (OVERVIEW, ENROLLMENTS, GROUPS, CERTIFICATES, REGISTRATIONS, REQUESTS)


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    bad: bool


class Rendering:
    """Makes HTML of templates; whatever comes from outside is escaped.

    Args:
        id_scope: Of the instance, shown on every page.
    """

    def __init__(self, *, id_scope: str) -> None:
        self._said: deque[_Said] = deque(maxlen=5)
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("aiodps.emulator.admin.page"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"id_scope": id_scope, "sections": SECTIONS}

    def say(self, text: str, *, bad: bool = False) -> None:
        """Have something said on top of the next page."""
        self._said.append(_Said(text, bad))

    def page(
        self, template: str, section: Section, *, status_code: int = HTTPStatus.OK, **values: Any
    ) -> HTMLResponse:
        """Answer with a page of a section."""
        said = list(self._said)
        self._said.clear()
        html = self.fragment(template, here=section.path, notes=said, **values)
        return HTMLResponse(html, int(status_code))

    def fragment(self, template: str, **values: Any) -> str:
        """Make a part of a page."""
        return self._templates.get_template(template).render(**values)

    def missing(self, section: Section, name: str) -> HTMLResponse:
        """Answer that there is nothing of this name, or not any more."""
        return self.page(
            "problem.html",
            section,
            status_code=HTTPStatus.NOT_FOUND,
            title="Not found",
            text=f"There is no {name} here (any more).",
        )
