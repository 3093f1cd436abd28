"""Responses of the admin port."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import anyio
import pytest
from starlette.types import Message

from aiodps.emulator.admin.responses import AdminError, AsciiJsonResponse, EventStream

pytestmark = pytest.mark.anyio


def test_json_takes_whatever_devices_send() -> None:
    """A lone surrogate cannot be encoded in UTF-8."""
    response = AsciiJsonResponse({"message": "\ud800"})

    assert json.loads(bytes(response.body)) == {"message": "\ud800"}


def test_an_error_is_json() -> None:
    """The hint is null if there is none."""
    response = AdminError(409, "not now").response

    assert response.status_code == 409
    assert json.loads(bytes(response.body)) == {"error": "not now", "hint": None}


async def test_events_are_closed_if_they_cannot_be_sent() -> None:
    """And not when the garbage collector comes by."""
    ended = anyio.Event()

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            yield b"data: 1\n\n"
        finally:
            ended.set()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise ConnectionError

    stream = EventStream(events())
    with pytest.raises(ConnectionError):
        await stream.stream_response(send)

    assert ended.is_set()
