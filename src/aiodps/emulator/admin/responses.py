"""Responses of the admin port: JSON, errors as JSON, and server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Send


class AsciiJsonResponse(JSONResponse):
    """A JSON document in ASCII: a lone surrogate that a device sent has no other encoding."""

    def render(self, content: Any) -> bytes:
        """Encode the document, with a line end for those who read it in a terminal."""
        return json.dumps(content).encode() + b"\n"


class EventStream(StreamingResponse):
    """Server-sent events; the generator is closed when they end or the client has gone."""

    media_type = "text/event-stream"
    body_iterator: AsyncGenerator[bytes, None]

    async def stream_response(self, send: Send) -> None:
        """Send the events; Starlette by itself would leave the generator to the collector."""
        async with aclosing(self.body_iterator):
            await super().stream_response(send)


class AdminError(HTTPException):
    """An error of the admin port; raised by endpoints, sent as JSON with its status."""

    def __init__(self, status_code: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(int(status_code), message)
        self.hint = hint
        """What to do about it; None if that is obvious."""

    @property
    def response(self) -> JSONResponse:
        """The error as JSON."""
        body = {"error": self.detail, "hint": self.hint}
        return AsciiJsonResponse(body, status_code=self.status_code, headers=self.headers)
