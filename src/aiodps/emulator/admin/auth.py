"""Who may use the control port: whoever has the token, from this machine, and no web page.

Any page that a browser shows may send requests to ports of this machine, and a stranger's name may
be made to point here. So the `Host` has to be ours, a foreign `Origin` is refused, and nothing is
answered without the token.
"""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from aiodps.emulator.admin.responses import ControlError

NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
"""What a client on this machine may call it."""
_SAFE = ("GET", "HEAD")
_HINT = "the address with the token was printed at the start, and stands in the ready file"


class Access:
    """Middleware that lets requests in.

    Args:
        app: What they are for.
        token: What they have to show.
        port: That they come to.
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"{name}:{port}" for name in NAMES}
        # Cookies do not care about ports, emulators on one machine do.
        self._cookie = f"aiodps-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, have it log in, or hand it on."""
        try:
            response = self.enter(Request(scope))
        except ControlError as exc:
            response = exc.response

        await (response or self._app)(scope, receive, send)

    def enter(self, request: Request) -> Response | None:
        """Check a request.

        Returns:
            None if it may go on; or, if it brought the token in its address, an answer that sends
            the browser to the same place without it, and with a cookie.

        Raises:
            ControlError: If it may not.
        """
        host = request.headers.get("host", "").lower()
        if host not in self._hosts:
            raise ControlError(HTTPStatus.FORBIDDEN, "this port is for this machine only")

        origin = request.headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            raise ControlError(HTTPStatus.FORBIDDEN, "another web page may not ask this port")

        if request.method in _SAFE and "token" in request.query_params:
            return self._log_in(request)

        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_right(token.strip()):
            return None

        if not self._is_right(request.cookies.get(self._cookie, "")):
            raise ControlError(
                HTTPStatus.UNAUTHORIZED, "the token is missing or wrong", hint=_HINT
            )

        if request.method not in _SAFE and origin is None:
            # A browser sends it with every request that changes something.
            raise ControlError(HTTPStatus.FORBIDDEN, "a change with a cookie needs an Origin")

        return None

    def _log_in(self, request: Request) -> Response:
        if not self._is_right(request.query_params.getlist("token")[0]):
            raise ControlError(HTTPStatus.UNAUTHORIZED, "the token is wrong", hint=_HINT)

        others = [pair for pair in request.query_params.multi_items() if pair[0] != "token"]
        path = "/" + quote(request.scope["path"].lstrip("/"))  # two would lead to another host
        where = f"{path}?{urlencode(others)}" if others else path
        cookie = f"{self._cookie}={self._token.decode()}; HttpOnly; SameSite=Strict; Path=/"
        return RedirectResponse(where, HTTPStatus.SEE_OTHER, {"Set-Cookie": cookie})

    def _is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token)
