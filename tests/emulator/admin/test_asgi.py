"""An ASGI application on a connection, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.emulated import PATIENCE
from tests.emulator.admin.visits import rest
from tests.scripted_client import HttpClient

from aiodps.emulator.admin.asgi import RequestCycle
from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.listener import Listener
from aiodps.emulator.connections.stream import Stream
from aiodps.emulator.frontends.http.connection import HttpConnection

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
DEFAULTS = {"X-Of-Every-Answer": "yes"}


def start(*headers: tuple[bytes, bytes]) -> Message:
    """Begin an answer."""
    return {"type": "http.response.start", "status": 200, "headers": headers}


def body(content: bytes, *, more: bool = False) -> Message:
    """Go on with an answer."""
    return {"type": "http.response.body", "body": content, "more_body": more}


@asynccontextmanager
async def connected(app: ASGIApp) -> AsyncIterator[HttpClient]:
    """Serve an application, and connect to it."""
    listener = Listener.bind("127.0.0.1", 0, setting="port")

    async def converse(stream: Stream) -> None:
        http = HttpConnection(stream)
        while (request := await http.next_request()) is not None:
            cycle = RequestCycle(
                http=http,
                stream=stream,
                request=request,
                headers=DEFAULTS,
                on_authenticated=lambda: None,
            )
            if not await cycle.run(app):
                return

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                lambda: listener.serve(converse, tasks, connection_limit=ConnectionLimit(4))
            )
            async with await anyio.connect_tcp("127.0.0.1", listener.port) as stream:
                yield HttpClient(stream)

            tasks.cancel_scope.cancel()

    listener.close()


async def test_the_scope_says_what_was_asked() -> None:
    """Path decoded and as it came; names of headers in lower case; every answer has ours."""
    scopes = list[Scope]()

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        scopes.append(scope)
        await send(start((b"content-length", b"1")))
        await send(body(b"1"))

    async with connected(app) as client:
        answer = await client.ask("GET", "/a%2Fb?c=%20", headers=["X-Name: \u00e4"])

    assert (answer.status, answer.body, answer.headers["X-Of-Every-Answer"]) == (200, 1, "yes")
    scope = scopes[0]
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (
        "/a/b",
        b"/a%2Fb",
        b"c=%20",
    )
    assert (b"x-name", "\u00e4".encode()) in scope["headers"]


async def test_the_body_comes_once_and_whole() -> None:
    """What comes next is that the peer has gone."""
    messages, gone = list[Message](), anyio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        messages.append(await receive())
        await send(start())
        await send(body(b"1", more=True))
        messages.append(await receive())
        gone.set()

    async with connected(app) as client:
        await client.stream.send(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
        )
        assert b"200 OK" in await client.stream.receive()
        await client.stream.send_eof()
        await gone.wait()

    assert messages == [
        {"type": "http.request", "body": b"abc", "more_body": False},
        {"type": "http.disconnect"},
    ]


@pytest.mark.parametrize("fails", [True, False])
async def test_an_answer_that_is_broken_off(caplog: pytest.LogCaptureFixture, fails: bool) -> None:
    """Is seen to be broken: the last chunk is missing when the connection ends."""

    async def app(_scope: Scope, _: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"1", more=True))
        if fails:
            raise ZeroDivisionError

    async with connected(app) as client:
        await client.stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        data = await rest(client)

    assert data.endswith(b"1\r\n1\r\n")
    assert [record.levelname for record in caplog.records] == ["ERROR"] * fails


async def test_a_bug_after_the_answer_costs_nobody_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, once."""

    async def app(_scope: Scope, _: Receive, send: Send) -> None:
        await send(start((b"content-length", b"1")))
        await send(body(b"1"))
        raise ZeroDivisionError

    async with connected(app) as client:
        answers = [await client.ask("GET", "/") for _ in range(2)]

    assert [answer.body for answer in answers] == [1, 1]
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 2


async def test_head_ends_the_application() -> None:
    """Once its head is out, and only then."""
    beyond = False

    async def app(_scope: Scope, _: Receive, send: Send) -> None:
        nonlocal beyond
        await send(start((b"content-length", b"7")))
        beyond = True

    async with connected(app) as client:
        for _ in range(2):
            await client.stream.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
            data = b""
            while b"\r\n\r\n" not in data:
                data += await client.stream.receive()

            assert b"content-length: 7" in data
            assert data.endswith(b"\r\n\r\n")

    assert not beyond
