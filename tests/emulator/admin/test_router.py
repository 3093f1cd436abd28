"""Which handler answers which path."""

from __future__ import annotations

import pytest

from aiodps.emulator.admin.router import ControlAnswer, ControlError, ControlRequest, Router

pytestmark = pytest.mark.anyio


async def echo(request: ControlRequest) -> ControlAnswer:
    """Answer with what stood in the path."""
    return ControlAnswer.json(dict(request.parameters))


async def ask(router: Router, method: str, path: str) -> ControlAnswer:
    """Ask for a path."""
    return await router.answer(ControlRequest(method=method, path=path), raw_path=path)


@pytest.fixture
def router() -> Router:
    """Make a router with a few routes."""
    router = Router()
    router.add("GET", "/", echo)
    router.add("GET", "/enrollments/{registration_id}", echo)
    router.add("DELETE", "/enrollments/{registration_id}", echo)
    return router


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/", b"{}\n"),
        ("/enrollments/press-4", b'{"registration_id": "press-4"}\n'),
        ("/enrollments/a%2Fb", b'{"registration_id": "a/b"}\n'),
    ],
)
async def test_a_name_stands_for_one_part(router: Router, path: str, content: bytes) -> None:
    """Percent-decoded, an escaped slash included."""
    assert (await ask(router, "GET", path)).content == content


@pytest.mark.parametrize("path", ["/x", "/enrollments", "/enrollments/", "/enrollments/a/b", ""])
async def test_other_paths_are_not_found(router: Router, path: str) -> None:
    """A name never stands for nothing, nor for two parts."""
    with pytest.raises(ControlError, match="nothing at") as caught:
        await ask(router, "GET", path)

    assert caught.value.status_code == 404


async def test_another_method_is_not_allowed(router: Router) -> None:
    """The error names those that are."""
    with pytest.raises(ControlError, match="only GET, DELETE is allowed") as caught:
        await ask(router, "PUT", "/enrollments/a")

    assert caught.value.status_code == 405


def test_a_form_is_read() -> None:
    """Of fields that come twice the first counts."""
    request = ControlRequest(method="POST", path="/", body=b"a=1&a=2&name=x+%26y&empty=")

    assert request.form == {"a": "1", "name": "x &y", "empty": ""}


def test_a_redirect_names_the_place() -> None:
    """303, so that a browser asks with GET."""
    answer = ControlAnswer.redirect("/", headers={"Set-Cookie": "a=b"})

    assert answer.status_code == 303
    assert answer.headers == {"Location": "/", "Set-Cookie": "a=b"}
