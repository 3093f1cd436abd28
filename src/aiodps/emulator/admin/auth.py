"""Authentication on the admin port: by a token, under a known name, never from another web page.

Any web page may send requests to ports of this machine, and a foreign name may be made to resolve
to it (DNS rebinding). So `Host` must be a name of this machine, a foreign `Origin` is refused, and
nothing is done without the token; only `/healthz` says without it that the emulator serves.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from aiodps.emulator.admin.responses import AdminError

NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine that a client may always use."""
HEALTH: Final = "/healthz"
"""The path that needs no token, for health checks of containers."""
AUTHENTICATED: Final = "aiodps.authenticated"
"""Name in the ASGI scope of a function that is called for an authenticated request."""
_SAFE = ("GET", "HEAD")
_HINT = "the address with the token was printed at the start; the ready file has it too"
_NAMES_HINT = "call it 127.0.0.1; --admin-host allows the names of --tls-name as well"


class AuthMiddleware:
    """Middleware that authenticates requests.

    Args:
        app: The application behind it.
        token: The token that requests must carry.
        port: The admin port.
        names: More names that a client may use.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int, names: Iterable[str] = ()) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"{name.lower()}:{port}" for name in (*NAMES, *names)}
        # Cookies do not care about ports, emulators on one machine do.
        self._cookie = f"aiodps-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, log its browser in, or pass it on."""
        try:
            response = self._admit(Request(scope))
        except AdminError as exc:
            response = exc.response

        await (response or self._app)(scope, receive, send)

    def _admit(self, request: Request) -> Response | None:
        """Check a request; one for `HEALTH` does not make its connection a known one."""
        if request.scope["path"] == HEALTH and request.method in _SAFE:
            self._check_names(request)
            return None

        response = self.check(request)
        request.scope.get(AUTHENTICATED, _nothing)()
        return response

    def check(self, request: Request) -> Response | None:
        """Check a request.

        Returns:
            None if it is authenticated; if it has the token in its query, a redirect to the same
            address without it that sets a cookie.

        Raises:
            AdminError: If it is not authenticated.
        """
        self._check_names(request)
        if request.method in _SAFE and "token" in request.query_params:
            return self._log_in(request)

        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_right(token.strip()):
            return None

        if not self._is_right(request.cookies.get(self._cookie, "")):
            raise AdminError(HTTPStatus.UNAUTHORIZED, "the token is missing or wrong", hint=_HINT)

        if request.method not in _SAFE and "origin" not in request.headers:
            # Browsers send Origin with every request that changes something.
            raise AdminError(HTTPStatus.FORBIDDEN, "a change with a cookie needs an Origin")

        return None

    def _check_names(self, request: Request) -> None:
        """Check what the client calls this port, and which web page sent the request."""
        host = request.headers.get("host", "").lower()
        if host not in self._hosts:
            raise AdminError(
                HTTPStatus.FORBIDDEN, "Host is not a name of the admin port", hint=_NAMES_HINT
            )

        origin = request.headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            raise AdminError(HTTPStatus.FORBIDDEN, "other web pages may not use this port")

    def _log_in(self, request: Request) -> Response:
        if not self._is_right(request.query_params.getlist("token")[0]):
            raise AdminError(HTTPStatus.UNAUTHORIZED, "the token is wrong", hint=_HINT)

        others = [pair for pair in request.query_params.multi_items() if pair[0] != "token"]
        path = "/" + quote(request.scope["path"].lstrip("/"))  # two would lead to another host
        where = f"{path}?{urlencode(others)}" if others else path
        cookie = f"{self._cookie}={self._token.decode()}; HttpOnly; SameSite=Strict; Path=/"
        return RedirectResponse(where, HTTPStatus.SEE_OTHER, {"Set-Cookie": cookie})

    def _is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token)


def _nothing() -> None:
    """Do nothing: the default of `AUTHENTICATED`."""
