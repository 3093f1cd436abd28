"""Which route takes which path, and what is said if none does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message
from tests.emulator.admin.visits import request_of

from aiodps.emulator.admin.responses import AsciiJsonResponse
from aiodps.emulator.admin.router import SegmentRoute, application

pytestmark = pytest.mark.anyio
HEADERS = {"host": "localhost:80", "authorization": "Bearer token"}
ONE = "/enrollments/{registration_id}"


async def echo(request: Request) -> Response:
    """Answer with what stood in the path."""
    return AsciiJsonResponse(request.path_params)


APP = application(
    [
        SegmentRoute("/", echo),
        SegmentRoute(ONE, echo),
        SegmentRoute(ONE, echo, methods=["DELETE"]),
    ],
    token="token",  # noqa: S106 (it opens nothing)
    port=80,
)


async def ask(method: str, path: str) -> tuple[Message, Any]:
    """Ask for a path; return the head of the answer and its JSON."""
    request, answer = request_of(method, path, HEADERS), list[Message]()

    async def send(message: Message) -> None:
        answer.append(message)

    await APP(request.scope, request.receive, send)
    return answer[0], json.loads(b"".join(message["body"] for message in answer[1:]))


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/", {}),
        ("/enrollments/press-4", {"registration_id": "press-4"}),
        ("/enrollments/a%2Fb", {"registration_id": "a/b"}),
        ("/enrollments/a%252Fb", {"registration_id": "a%2Fb"}),
        ("/enrollments/%C3%A4%0a", {"registration_id": "\u00e4\n"}),
        ("/%65nrollments/a", {"registration_id": "a"}),
    ],
)
async def test_a_name_stands_for_one_segment(path: str, parameters: dict[str, str]) -> None:
    """Percent-decoded once, an escaped slash included."""
    head, body = await ask("GET", path)

    assert (head["status"], body) == (200, parameters)


@pytest.mark.parametrize(
    "path",
    [
        *("/x", "/enrollments", "/enrollments/", "/enrollments/a/b", "", "//", "/%2F"),
        *("/enrollments/a/", "/enrollments%2Fa", "/enrollments/../x", "/docs", "/openapi.json"),
    ],
)
async def test_other_paths_are_not_found(path: str) -> None:
    """A name never stands for nothing, nor for two segments; nobody is redirected."""
    head, body = await ask("GET", path)

    assert (head["status"], body["error"]) == (404, f"there is nothing at {path!r}")


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "get"])
async def test_another_method_is_not_allowed(method: str) -> None:
    """The error names those that are."""
    head, body = await ask(method, "/enrollments/a")

    assert (head["status"], body["error"]) == (405, "only DELETE, GET, HEAD is allowed here")
    assert (b"allow", b"DELETE, GET, HEAD") in head["headers"]
