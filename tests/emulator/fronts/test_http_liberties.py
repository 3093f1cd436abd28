"""Liberties with HTTP."""

from __future__ import annotations

import pytest

from aiodps.emulator.fronts.http_messages import HttpRequest
from aiodps.emulator.fronts.http_routes import route
from aiodps.emulator.liberties import Liberty
from aiodps.emulator.wire import Request

JSON = {"content-type": "application/json; charset=utf-8"}
BASE = "/0ne1/registrations/dev:1"
VERSION = "api-version=2021-10-01"


def taken(method: str, target: str, body: bytes = b"", **headers: str) -> tuple[Liberty, ...]:
    """Name the liberties of a request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    wish = route(HttpRequest(method=method, target=target, headers=named, body=body))
    assert isinstance(wish, Request)
    return wish.liberties


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", f"{BASE}/register?{VERSION}"),
        ("PUT", f"/0ne1/registrations/dev%3A1/register?{VERSION}"),
        ("POST", f"{BASE}?{VERSION}"),
    ],
)
def test_none_is_taken(method: str, target: str) -> None:
    """By who writes as the specification does, the id percent-encoded or not."""
    assert taken(method, target, b"{}", **{"content-type": JSON["content-type"]}) == ()


def test_a_poll() -> None:
    """It needs no content type, as it has no body."""
    assert taken("GET", f"{BASE}/operations/5.a.b?{VERSION}") == ()


@pytest.mark.parametrize(
    "target",
    [
        f"{BASE}/register/?{VERSION}",
        f"{BASE}/Register?{VERSION}",
        f"/0ne1/Registrations/dev:1/register?{VERSION}",
        f"{BASE}/register?{VERSION}&forceRegistration=true",
        f"{BASE}/register?API-version=2021-10-01",
        f"{BASE}/register",
    ],
)
def test_targets(target: str) -> None:
    """Casing, slashes, and parameters that nobody knows."""
    assert taken("PUT", target) == (Liberty.HTTP_TARGET,)


@pytest.mark.parametrize("kind", [{}, {"content_type": "text/json"}])
def test_content_type(kind: dict[str, str]) -> None:
    """A body says what it is."""
    assert taken("PUT", f"{BASE}/register?{VERSION}", b"{}", **kind) == (Liberty.CONTENT_TYPE,)


def test_what_real_clients_do() -> None:
    """The articles' curl names a coding that is none, Node sends a body with its poll."""
    curl = {"content_type": "application/json", "content_encoding": "utf-8"}
    node = {"content_type": "application/json; charset=utf-8"}

    assert taken("PUT", f"{BASE}/register?{VERSION}", b"{}", **curl) == (Liberty.CONTENT_ENCODING,)
    assert taken("GET", f"{BASE}/operations/5?{VERSION}", b"{}", **node) == (Liberty.BODY_ON_GET,)
