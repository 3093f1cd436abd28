"""Who may use the control port: whoever has the token, from this machine, and no web page.

Any page that a browser shows may send requests to ports of this machine, and a stranger's name may
be made to point here. So the `Host` has to be ours, a foreign `Origin` is refused, and nothing is
answered without the token.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote, urlencode

from aiodps.emulator.admin.router import ControlAnswer, ControlError, ControlRequest

NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
"""What a client on this machine may call it."""
_HINT = "the address with the token was printed at the start, and stands in the ready file"


class Access:
    """Lets requests in.

    Args:
        token: What they have to show.
        port: That they come to.
    """

    def __init__(self, token: str, port: int) -> None:
        self._token = token.encode()
        self._hosts = {f"{name}:{port}" for name in NAMES}
        # Cookies do not care about ports, emulators on one machine do.
        self._cookie = f"aiodps-{port}"

    def enter(self, request: ControlRequest) -> ControlAnswer | None:
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

        if request.method == "GET" and "token" in request.query:
            return self._log_in(request)

        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_right(token.strip()):
            return None

        if not self._is_right(self._from_cookie(request.headers)):
            raise ControlError(
                HTTPStatus.UNAUTHORIZED, "the token is missing or wrong", hint=_HINT
            )

        if request.method != "GET" and origin is None:
            # A browser sends it with every request that changes something.
            raise ControlError(HTTPStatus.FORBIDDEN, "a change with a cookie needs an Origin")

        return None

    def _log_in(self, request: ControlRequest) -> ControlAnswer:
        if not self._is_right(request.query["token"]):
            raise ControlError(HTTPStatus.UNAUTHORIZED, "the token is wrong", hint=_HINT)

        rest = {name: value for name, value in request.query.items() if name != "token"}
        path = "/" + quote(request.path.lstrip("/"))  # two slashes would lead to another host
        where = f"{path}?{urlencode(rest)}" if rest else path
        cookie = f"{self._cookie}={self._token.decode()}; HttpOnly; SameSite=Strict; Path=/"
        return ControlAnswer.redirect(where, headers={"Set-Cookie": cookie})

    def _from_cookie(self, headers: Mapping[str, str]) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""

        return "" if found is None else found.value

    def _is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token)
