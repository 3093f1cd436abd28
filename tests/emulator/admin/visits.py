"""Requests to a admin port over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import unquote

import anyio
from starlette.requests import Request
from starlette.types import Message
from tests.scripted_client import HttpClient

from aiodps.emulator.admin.server import AdminPort


@asynccontextmanager
async def visit(admin: AdminPort, *, host: str | None = None) -> AsyncIterator[HttpClient]:
    """Open a connection.

    Args:
        admin: Where to.
        host: What the client calls it; None for its right name.
    """
    async with await anyio.connect_tcp("127.0.0.1", port_of(admin)) as stream:
        yield HttpClient(stream, host=host_of(admin) if host is None else host)


async def rest(client: HttpClient) -> bytes:
    """Take everything until the end."""
    data = b""
    try:
        while True:
            data += await client.stream.receive()
    except anyio.EndOfStream:
        return data


def port_of(admin: AdminPort) -> int:
    """Return the port."""
    return int(admin.url.rpartition(":")[2])


def host_of(admin: AdminPort) -> str:
    """Return what a client calls it."""
    return admin.url.removeprefix("http://")


def headers(admin: AdminPort, *more: str) -> Iterable[str]:
    """Write the headers of somebody who may, beside the host."""
    return (f"Authorization: Bearer {admin.token}", *more)


def head(admin: AdminPort, method: str, path: str) -> bytes:
    """Write a whole request of somebody who may."""
    lines = (f"{method} {path} HTTP/1.1", f"Host: {host_of(admin)}", *headers(admin))
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
