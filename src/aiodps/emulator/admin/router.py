"""The control port as a Starlette application: routes, and errors as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from aiodps.emulator.admin.auth import Access
from aiodps.emulator.admin.responses import ControlError
from aiodps.emulator.state.store import StoreError


class SegmentRoute(Route):
    """A route whose `{name}` is one segment of the path, in which a slash may stand escaped.

    Starlette matches the decoded path, where such a slash would end the segment.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as it came."""
        segments = scope["raw_path"].decode().split("/")
        path = "/".join(quote(unquote(segment), safe="") for segment in segments)
        match, found = super().matches({**scope, "path": path})
        parameters = found.get("path_params", {}).items()
        return match, {**found, "path_params": {name: unquote(each) for name, each in parameters}}


def application(routes: Sequence[SegmentRoute], *, token: str, port: int) -> Starlette:
    """Make the application.

    Args:
        routes: The first one that matches counts.
        token: What requests have to show.
        port: That they come to.
    """
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Access, token=token, port=port)],
        exception_handlers=dict.fromkeys((HTTPException, StoreError, Exception), _error),
    )
    app.router.redirect_slashes = False
    return app


async def _error(request: Request, error: Exception) -> Response:
    match error:
        case ControlError():
            told = error
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            told = _method_not_allowed(request)
        case HTTPException():
            path = request.scope["raw_path"].decode()[:80]
            told = ControlError(HTTPStatus.NOT_FOUND, f"there is nothing at {path!r}")
        case StoreError():
            told = ControlError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        case _:
            told = ControlError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")

    return told.response


def _method_not_allowed(request: Request) -> ControlError:
    """Name the methods of all routes of this path; Starlette names those of the first."""
    routes = [each for each in request.app.routes if each.matches(request.scope)[0] != Match.NONE]
    allowed = ", ".join(sorted({method for route in routes for method in route.methods}))
    error = ControlError(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed} is allowed here")
    error.headers = {"Allow": allowed}
    return error
