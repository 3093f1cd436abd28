"""Who gets in at the admin port."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from starlette.requests import Request
from starlette.routing import Router
from tests.emulator.admin.visits import request_of

from aiodps.emulator.admin.auth import AuthMiddleware
from aiodps.emulator.admin.responses import AdminError

TOKEN = "the-right-one"  # noqa: S105 (it opens nothing)
ACCESS = AuthMiddleware(Router(), token=TOKEN, port=8080)
HOST = {"host": "127.0.0.1:8080"}
ORIGIN = {"origin": "http://127.0.0.1:8080"}
BEARER = {"authorization": f"Bearer {TOKEN}"}
COOKIE = {"cookie": f"other=1; aiodps-8080={TOKEN}"}


def request(method: str = "GET", **headers: str) -> Request:
    """Make a request."""
    return request_of(method, "/", headers)


@pytest.mark.parametrize(
    "asked",
    [
        request(**HOST, **BEARER),
        request("POST", **HOST, **BEARER),
        request(host="localhost:8080", **BEARER),
        request(host="[::1]:8080", **BEARER),
        request(**HOST, authorization=f"bearer  {TOKEN}"),
        request(**HOST, **COOKIE),
        request("HEAD", **HOST, **COOKIE),
        request(**HOST, cookie=f"flag; aiodps-8080={TOKEN}"),
        request("POST", **HOST, **ORIGIN, **COOKIE),
        request("PUT", **HOST, **ORIGIN, **BEARER),
    ],
)
def test_who_may(asked: Request) -> None:
    """With the token in a header, or in a cookie of our own page."""
    assert ACCESS.check(asked) is None


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (request(**BEARER), 403),
        (request(host="evil.example:8080", **BEARER), 403),
        (request(host="127.0.0.1", **BEARER), 403),
        (request(host="127.0.0.1:8081", **BEARER), 403),
        (request(**HOST, **BEARER, origin="http://evil.example"), 403),
        (request(**HOST, **BEARER, origin="null"), 403),
        (request(**HOST, **BEARER, origin="http://localhost:8080"), 403),
        (request(**HOST), 401),
        (request(**HOST, authorization="Bearer wrong"), 401),
        (request(**HOST, authorization=f"Basic {TOKEN}"), 401),
        (request(**HOST, authorization="Bearer the-right-\u00f6ne"), 401),
        (request(**HOST, cookie=f"aiodps-9090={TOKEN}"), 401),
        (request(**HOST, cookie="aiodps-8080=\\"), 401),
        (request("POST", **HOST, **COOKIE), 403),
        (request("OPTIONS", **HOST, **COOKIE), 403),
    ],
)
def test_who_may_not(asked: Request, status: int) -> None:
    """Other hosts and pages are refused even with the token, and nobody gets in without it."""
    with pytest.raises(AdminError) as caught:
        ACCESS.check(asked)

    assert caught.value.status_code == status
    assert TOKEN not in str(caught.value)


def test_the_token_in_an_address_becomes_a_cookie() -> None:
    """The browser is sent to the same place, without it."""
    answer = ACCESS.check(request_of("GET", f"/x?token={TOKEN}&a=b+c", HOST))

    assert answer is not None
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/x?a=b+c"
    assert (
        answer.headers["Set-Cookie"] == f"aiodps-8080={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    )


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("//evil", "/evil"),
        ("/\\evil", "/%5Cevil"),
        ("/\r\nX: y", "/%0D%0AX%3A%20y"),
        ("/\u20ac", "/%E2%82%AC"),
    ],
)
def test_nobody_is_sent_to_another_host(path: str, location: str) -> None:
    """Two slashes of any kind would do that; and what no header takes stays escaped."""
    answer = ACCESS.check(request_of("GET", f"{quote(path)}?token={TOKEN}", HOST))

    assert answer is not None
    assert answer.headers["Location"] == location


def test_a_wrong_token_in_an_address() -> None:
    """Is refused, also of somebody who has the cookie."""
    asked = request_of("GET", "/?token=x", HOST | COOKIE)
    with pytest.raises(AdminError):
        ACCESS.check(asked)
