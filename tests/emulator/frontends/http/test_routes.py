"""Method and path to operation."""

from __future__ import annotations

import pytest

from aiodps.emulator.frontends.http.requests import HttpRequest, RefusedError
from aiodps.emulator.frontends.http.routes import WrongMethodError, route
from aiodps.emulator.protocol.messages import ManagementRequest, Operation, Request
from aiodps.emulator.protocol.strict_rules import StrictRule

ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/d"


def asked(method: str, target: str, **headers: str) -> HttpRequest:
    """Make a request."""
    return HttpRequest(method=method, target=target, headers=headers, body=b"{}")


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        pytest.param(
            "PUT",
            "/0ne1/registrations/dev-1/register?api-version=2019-03-31",
            (Operation.REGISTER, "dev-1", "2019-03-31", None),
            id="register",
        ),
        pytest.param(
            "GET",
            "/0ne1/registrations/dev-1/operations/5.a.b?api-version=2021-10-01",
            (Operation.OPERATION_STATUS, "dev-1", "2021-10-01", "5.a.b"),
            id="operation status",
        ),
        pytest.param(
            "POST",
            "/0ne1/registrations/dev-1?api-version=2021-10-01",
            (Operation.STATUS_LOOKUP, "dev-1", "2021-10-01", None),
            id="status look-up",
        ),
        pytest.param(
            "PUT",
            "/0ne1/Registrations/a%3Ab/Register/?x=1&API-Version=1&api-version=2",
            (Operation.REGISTER, "a:b", "1", None),
            id="any case, encoded, slash at the end, twice",
        ),
        pytest.param(
            "PUT",
            "/0ne1/registrations/a%2Fb/register",
            (Operation.REGISTER, "a/b", None, None),
            id="an encoded slash is part of the id",
        ),
    ],
)
def test_device_api(
    method: str, target: str, expected: tuple[Operation, str, str | None, str | None]
) -> None:
    """The three operations, and the api-version if there is one."""
    operation, registration_id, api_version, operation_id = expected

    assert route(asked(method, target)) == Request(
        operation=operation,
        id_scope="0ne1",
        registration_id=registration_id,
        api_version=api_version,
        operation_id=operation_id,
        body=b"{}",
    )


def test_resource_manager() -> None:
    """Everything below `/subscriptions/` goes there, headers and all."""
    path = f"{ARM}/certificates/root"
    headers = {"if-match": '"1"', "authorization": "Bearer t"}

    assert route(asked("PUT", f"{path}?api-version=2022-12-12", **headers)) == ManagementRequest(
        method="PUT",
        path=path,
        query={"api-version": "2022-12-12"},
        headers=headers,
        body=b"{}",
    )


@pytest.mark.parametrize(
    "path", ["/enrollments/a", "/enrollmentgroups", "/Registrations/a/query", "/enrollments/"]
)
def test_service_api(path: str) -> None:
    """Collections at the beginning of a path are the service API's, in any casing."""
    wanted = route(asked("POST", f"{path}?api-version=2021-10-01"))

    assert isinstance(wanted, ManagementRequest)
    assert wanted.path == path


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "/s/registrations/r/register", "PUT"),
        ("PUT", "/s/registrations/r/operations/o", "GET"),
        ("GET", "/s/registrations/r", "POST"),
        ("HEAD", "/s/registrations/r", "POST"),
    ],
)
def test_wrong_methods_are_told_the_right_one(method: str, target: str, allowed: str) -> None:
    """405 with `Allow`."""
    with pytest.raises(WrongMethodError) as caught:
        route(asked(method, target))

    assert (caught.value.status_code, caught.value.allowed) == (405, allowed)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "*",
        "/s/registrations",
        "/s/registrations/r/register/x",
        "/s/registrations/r/operations",
        "/s/devices/r/register",
        "https://host/s/registrations/r",
        "/subscriptions",
        "/$iothub/websocket",
        "//",
        "/%",
        "/s/registrations/r/register%2f",
    ],
)
def test_other_paths_are_not_found(target: str) -> None:
    """404."""
    with pytest.raises(RefusedError) as caught:
        route(asked("PUT", target))

    assert caught.value.status_code == 404


JSON = {"content-type": "application/json; charset=utf-8"}
BASE = "/0ne1/registrations/dev:1"
VERSION = "api-version=2021-10-01"


def taken(method: str, target: str, body: bytes = b"", **headers: str) -> tuple[StrictRule, ...]:
    """Name the liberties of a request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = route(HttpRequest(method=method, target=target, headers=named, body=body))
    assert isinstance(asked, Request)
    return asked.deviations()


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
    assert taken("PUT", target) == (StrictRule.HTTP_TARGET,)


@pytest.mark.parametrize("kind", [{}, {"content_type": "text/json"}])
def test_content_type(kind: dict[str, str]) -> None:
    """A body says what it is."""
    assert taken("PUT", f"{BASE}/register?{VERSION}", b"{}", **kind) == (StrictRule.CONTENT_TYPE,)


def test_what_real_clients_do() -> None:
    """The articles' curl names a coding that is none, Node sends a body with its poll."""
    curl = {"content_type": "application/json", "content_encoding": "utf-8"}
    node = {"content_type": "application/json; charset=utf-8"}

    assert taken("PUT", f"{BASE}/register?{VERSION}", b"{}", **curl) == (
        StrictRule.CONTENT_ENCODING,
    )
    assert taken("GET", f"{BASE}/operations/5?{VERSION}", b"{}", **node) == (
        StrictRule.BODY_ON_GET,
    )
