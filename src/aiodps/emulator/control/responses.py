"""Answers of the control port: JSON, errors as JSON, and server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, StreamingResponse
from starlette.types import Send

EVENTS: Final = "text/event-stream"
"""Media type of server-sent events."""


class AsciiJsonResponse(JSONResponse):
    """A JSON document in ASCII: a lone surrogate that a device sent has no other encoding."""

    def render(self, content: Any) -> bytes:
        """Encode the document, with a line end for those who read it in a terminal."""
        return json.dumps(content).encode() + b"\n"


class EventStream(StreamingResponse):
    """Server-sent events, until they end or the peer has gone.

    Args:
        events: Each as it is sent; closed in either case.
    """

    media_type = EVENTS

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events)
        self.events = events

    async def stream_response(self, send: Send) -> None:
        """Send the events; Starlette by itself would leave the generator to the collector."""
        async with aclosing(self.events):
            await super().stream_response(send)


class ControlError(HTTPException):
    """A request that cannot be done; raised by endpoints, answered as JSON with this status."""

    def __init__(self, status_code: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(int(status_code), message)
        self.message = message
        self.hint = hint
        """What to do about it; None if that is plain."""


def error_response(
    status_code: int,
    message: str,
    *,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsciiJsonResponse:
    """Write an error as JSON."""
    body = {"error": message, "hint": hint}
    return AsciiJsonResponse(body, status_code=int(status_code), headers=headers)


def see_other(path: str) -> RedirectResponse:
    """Send a browser to another page of this port, after a POST or a log-in."""
    return RedirectResponse(path, status_code=HTTPStatus.SEE_OTHER)
