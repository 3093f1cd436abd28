"""The admin port as a Starlette application: routes, and errors as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from aiodps.emulator.admin.auth import AuthMiddleware
from aiodps.emulator.admin.responses import AdminError
from aiodps.emulator.state.store import StoreError


class SegmentRoute(Route):
    """A route whose `{name}` is one segment of the path, which may hold an escaped slash.

    Starlette matches the decoded path, where such a slash would end the segment.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the undecoded path."""
        segments = scope["raw_path"].decode().split("/")
        path = "/".join(quote(unquote(segment), safe="") for segment in segments)
        match, found = super().matches({**scope, "path": path})
        parameters = found.get("path_params", {}).items()
        return match, {**found, "path_params": {name: unquote(each) for name, each in parameters}}


def application(
    routes: Sequence[SegmentRoute], *, token: str, port: int, names: Iterable[str] = ()
) -> Starlette:
    """Make the ASGI application.

    Args:
        routes: In order of precedence.
        token: The token that requests must carry.
        port: The admin port.
        names: More names of it.
    """
    app = Starlette(
        routes=routes,
        middleware=[Middleware(AuthMiddleware, token=token, port=port, names=names)],
        exception_handlers=dict.fromkeys((HTTPException, StoreError, Exception), _error),
    )
    app.router.redirect_slashes = False
    return app


async def _error(request: Request, error: Exception) -> Response:
    match error:
        case AdminError():
            shown = error
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            shown = _method_not_allowed(request)
        case HTTPException():
            path = request.scope["raw_path"].decode()[:80]
            shown = AdminError(HTTPStatus.NOT_FOUND, f"there is nothing at {path!r}")
        case StoreError():
            shown = AdminError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        case _:
            shown = AdminError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")

    return shown.response


def _method_not_allowed(request: Request) -> AdminError:
    """List the methods of all routes of this path; Starlette lists those of the first."""
    routes = [each for each in request.app.routes if each.matches(request.scope)[0] != Match.NONE]
    allowed = ", ".join(sorted({method for route in routes for method in route.methods}))
    error = AdminError(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed} is allowed here")
    error.headers = {"Allow": allowed}
    return error
