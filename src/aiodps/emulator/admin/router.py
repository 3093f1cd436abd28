"""Paths of the control port and who answers them: the JSON API, and the page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Self, TypeAlias
from urllib.parse import parse_qsl, unquote

from aiodps.emulator.messages import Json

JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
EVENTS: Final = "text/event-stream"
"""Media type of server-sent events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRequest:
    """A request to the control port by somebody who may; host, origin and token were checked."""

    method: str
    """Of HTTP, in upper case; HEAD comes as GET."""
    path: str
    """Percent-decoded, without the query."""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of parameters that come twice the first counts."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What stood in the path where the route has `{name}`."""

    @property
    def form(self) -> Mapping[str, str]:
        """The body as an HTML form sends it (`application/x-www-form-urlencoded`)."""
        text = self.body.decode(errors="replace")
        return dict(reversed(parse_qsl(text, keep_blank_values=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlAnswer:
    """An answer of the control port."""

    content: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
    """All of it, or pieces that are sent as they come. An iterator is asked until it ends or the
    peer has gone, whichever is first; it is closed then (`aclose`) if it is a generator."""
    content_type: str = HTML
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside those that every answer has."""

    @classmethod
    def json(cls, body: Json, *, status_code: int = 200) -> Self:
        """Answer with a JSON document."""
        content = json.dumps(body).encode() + b"\n"
        return cls(content=content, content_type=JSON, status_code=status_code)

    @classmethod
    def redirect(cls, path: str, *, headers: Mapping[str, str] | None = None) -> Self:
        """Send a browser elsewhere on this port, after a POST or a log-in (303)."""
        return cls(status_code=303, headers={"Location": path, **(headers or {})})


Handler: TypeAlias = Callable[[ControlRequest], Awaitable[ControlAnswer]]


class ControlError(Exception):
    """A request that cannot be done; raised by handlers, answered as JSON with this status."""

    def __init__(self, status_code: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.status_code = int(status_code)
        self.message = message
        self.hint = hint
        """What to do about it; None if that is plain."""


class Router:
    """Finds the handler of a request."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, tuple[str, ...], Handler]] = []

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Have requests of this method and path answered by the handler.

        Args:
            method: Of HTTP, in upper case.
            path: Such as `/api/counts` or `/enrollments/{registration_id}`, where `{name}` stands
                for one part of a path, not empty. What was added first counts.
            handler: Called once for each request; may raise `ControlError`.
        """
        self._routes.append((method, tuple(path.split("/")), handler))

    async def answer(self, request: ControlRequest, *, raw_path: str) -> ControlAnswer:
        """Have a request answered.

        Args:
            request: What is asked.
            raw_path: Its path as it came, so that an escaped slash stays within its part.

        Raises:
            ControlError: If there is nothing of that path, or not with that method; and what the
                handler raises.
        """
        parts = [unquote(part) for part in raw_path.split("/")]
        allowed: list[str] = []
        for method, pattern, handler in self._routes:
            parameters = _match(pattern, parts)
            if parameters is None:
                continue

            if method == request.method:
                return await handler(_with(request, parameters))

            allowed.append(method)

        if allowed:
            only = ", ".join(dict.fromkeys(allowed))
            raise ControlError(HTTPStatus.METHOD_NOT_ALLOWED, f"only {only} is allowed here")

        raise ControlError(HTTPStatus.NOT_FOUND, f"there is nothing at {raw_path[:80]!r}")


def _match(pattern: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    """Return what stands where the pattern has names; None if it is another path."""
    if len(pattern) != len(parts):
        return None

    parameters = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{") and part:
            parameters[expected[1:-1]] = part
        elif expected != part:
            return None

    return parameters


def _with(request: ControlRequest, parameters: Mapping[str, str]) -> ControlRequest:
    return ControlRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        body=request.body,
        parameters=parameters,
    )
