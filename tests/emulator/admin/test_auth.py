"""Who gets in at the admin port."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from starlette.requests import Request
from starlette.routing import Router
from starlette.types import Message, Scope
from tests.emulator.admin.visits import request_of

from aiodps.emulator.admin.auth import AUTHENTICATED, AuthMiddleware
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


def test_more_names_count_only_where_they_are_given() -> None:
    """With the port and the token; a web page under the name is ours."""
    known = AuthMiddleware(Router(), token=TOKEN, port=8080, names=["Dps"])
    asked = request("PUT", host="dps:8080", origin="http://dps:8080", **BEARER)

    assert known.check(asked) is None
    assert known.check(request(**HOST, **BEARER)) is None
    for access, foreign in (
        (ACCESS, request(host="dps:8080", **BEARER)),
        (known, request(host="dps", **BEARER)),
        (known, request(host="dps.evil.example:8080", **BEARER)),
        (known, request(host="dps:8080", origin="http://127.0.0.1:8080", **BEARER)),
    ):
        with pytest.raises(AdminError):
            access.check(foreign)


async def status_of(asked: Request) -> tuple[int, int]:
    """Return the status of a response, and how often somebody was authenticated."""
    known: list[None] = []
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def healthy(_: Scope, __: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    scope = {**asked.scope, AUTHENTICATED: lambda: known.append(None)}
    await AuthMiddleware(healthy, token=TOKEN, port=8080)(scope, asked.receive, send)
    return sent[0]["status"], len(known)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request_of("GET", "/healthz", HOST), (200, 0)),
        (request_of("HEAD", "/healthz", HOST), (200, 0)),
        (request_of("POST", "/healthz", HOST), (401, 0)),
        (request_of("GET", "/healthz", {"host": "evil.example:8080"}), (403, 0)),
        (request_of("GET", "/healthz", HOST | {"origin": "http://evil.example"}), (403, 0)),
        (request_of("GET", "/healthz/x", HOST), (401, 0)),
        (request_of("GET", "/api/facts", HOST | BEARER), (200, 1)),
    ],
)
async def test_only_health_needs_no_token(asked: Request, expected: tuple[int, int]) -> None:
    """The rules for names hold, and the connection stays one of a stranger."""
    assert await status_of(asked) == expected
