"""Requests to a control port over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import unquote

import anyio
from starlette.requests import Request
from starlette.types import Message
from tests.scripted_client import HttpClient

from aiodps.emulator.admin.server import Control


@asynccontextmanager
async def visit(control: Control, *, host: str | None = None) -> AsyncIterator[HttpClient]:
    """Open a connection.

    Args:
        control: Where to.
        host: What the client calls it; None for its right name.
    """
    async with await anyio.connect_tcp("127.0.0.1", port_of(control)) as stream:
        yield HttpClient(stream, host=host_of(control) if host is None else host)


async def rest(client: HttpClient) -> bytes:
    """Take everything until the end."""
    data = b""
    try:
        while True:
            data += await client.stream.receive()
    except anyio.EndOfStream:
        return data


def port_of(control: Control) -> int:
    """Return the port."""
    return int(control.url.rpartition(":")[2])


def host_of(control: Control) -> str:
    """Return what a client calls it."""
    return control.url.removeprefix("http://")


def headers(control: Control, *more: str) -> Iterable[str]:
    """Write the headers of somebody who may, beside the host."""
    return (f"Authorization: Bearer {control.token}", *more)


def head(control: Control, method: str, path: str) -> bytes:
    """Write a whole request of somebody who may."""
    lines = (f"{method} {path} HTTP/1.1", f"Host: {host_of(control)}", *headers(control))
    return "\r\n".join((*lines, "", "")).encode()


def request_of(
    method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Request:
    """Make a request as the application sees it, without a connection."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(n.encode(), v.encode("latin-1")) for n, v in (headers or {}).items()],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    return Request(scope, receive)
