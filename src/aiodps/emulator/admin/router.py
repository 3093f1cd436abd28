"""The control port as a Starlette application: routes, and errors as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from aiodps.emulator.admin.auth import Access
from aiodps.emulator.admin.responses import ControlError, error_response
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
        if match is not Match.NONE:
            parameters = found["path_params"].items()
            found["path_params"] = {name: unquote(value) for name, value in parameters}

        return match, found


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
        exception_handlers={
            HTTPStatus.NOT_FOUND: _not_found,
            HTTPStatus.METHOD_NOT_ALLOWED: _method_not_allowed,
            ControlError: _control_error,
            StoreError: _store_error,
            Exception: _internal_error,
        },
    )
    app.router.redirect_slashes = False
    return app


async def _not_found(request: Request, _: Exception) -> Response:
    path = request.scope["raw_path"].decode()[:80]
    return error_response(HTTPStatus.NOT_FOUND, f"there is nothing at {path!r}")


async def _method_not_allowed(request: Request, _: Exception) -> Response:
    """Name the methods of all routes of this path; Starlette names those of the first."""
    methods = {
        method
        for route in request.app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods
    }
    allowed = ", ".join(sorted(methods))
    return error_response(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"only {allowed} is allowed here",
        headers={"Allow": allowed},
    )


async def _control_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ControlError)  # noqa: S101 (it is the handler of these)
    return error_response(error.status_code, error.message, hint=error.hint)


async def _store_error(_: Request, error: Exception) -> Response:
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _internal_error(_: Request, _error: Exception) -> Response:
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")
