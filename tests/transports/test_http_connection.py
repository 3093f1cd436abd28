"""One HTTP connection over the dialler's: whether it stands, and what leaves it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio.lowlevel
import httpx
import pytest
from tests.scripted.http import HttpServer, Line, always, answer, held, once
from tests.scripted.server import Script

from aiodps.errors import ConnectionLostError, ProtocolError, ResponseTooLargeError, TransportError
from aiodps.network.dial import dial
from aiodps.protocol.limits import MAX_BODY, MAX_INTERIM_RESPONSES
from aiodps.transports.http_connection import CustomTransport, HttpConnection

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


@asynccontextmanager
async def dialled(peer: HttpServer) -> AsyncIterator[HttpConnection]:
    """Connect to a peer."""
    transport = HttpConnection(await dial(peer.target().at_port(peer.port)))
    try:
        yield transport
    finally:
        transport.close()


REQUEST = httpx.Request("GET", "https://dps.test/x?y=1")


async def test_one_exchange() -> None:
    """A request of httpx goes in, and the response comes out as it arrived."""
    with HttpServer(always(answer(404, b'{"a":1}', X="y"))) as peer:
        async with dialled(peer) as transport:
            response = await transport.exchange(REQUEST)

    assert (response.status_code, response.body) == (404, b'{"a":1}')
    assert (b"X", b"y") in response.headers


async def test_a_fresh_connection_stands() -> None:
    """What a server says of TLS after the handshake (tickets) is no sign of an end."""
    with HttpServer(lambda line: line.drain()) as peer:
        async with dialled(peer) as transport:
            assert transport.usable
            assert transport.usable


@pytest.mark.parametrize("unasked", [b"", answer(200)], ids=["closed", "unasked"])
async def test_a_connection_that_is_over(unasked: bytes) -> None:
    """A server that has hung up, or speaks unasked, makes the connection unusable."""

    def script(line: Line) -> None:
        if unasked:
            line.send(unasked)
            line.drain()

    with HttpServer(script) as peer:
        async with dialled(peer) as transport:
            while transport.usable:
                await anyio.lowlevel.checkpoint()

    assert not transport.usable


SURPLUS = [answer(200, b'{"late":1}'), b"x", b"\r\n"]


@pytest.mark.parametrize("surplus", SURPLUS, ids=["response", "garbage", "empty-line"])
async def test_what_comes_unasked_is_never_a_response(surplus: bytes) -> None:
    """Bytes behind a response are not taken for the response to the next request."""
    with HttpServer(held(answer(202), surplus)) as peer:
        async with dialled(peer) as transport:
            response = await transport.exchange(REQUEST)
            assert (response.status_code, transport.usable) == (202, False)
            with pytest.raises(ConnectionLostError):
                await transport.exchange(REQUEST)


@pytest.mark.parametrize(
    "response",
    [b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", answer(200, Connection="close")],
    ids=["1.0", "close"],
)
async def test_a_last_response(response: bytes) -> None:
    """A server that says it will close the connection is not asked again."""
    with HttpServer(once(response)) as peer:
        async with dialled(peer) as transport:
            await transport.exchange(REQUEST)
            assert not transport.usable


async def test_a_reason_is_read_after_a_failed_write() -> None:
    """A server that answers and hangs up while the request is being written has said why."""

    def script(line: Line) -> None:
        line.sock.recv(1)
        line.send(answer(413))

    endless = httpx.Request("PUT", "https://dps.test/", content=b"x" * 2**24)
    with HttpServer(script) as peer:
        async with dialled(peer) as transport:
            response = await transport.exchange(endless)
            assert (response.status_code, transport.usable) == (413, False)


async def test_closing_ends_a_wait() -> None:
    """Whoever waits for a response is told that there will be none."""

    async def ask(transport: HttpConnection) -> None:
        with pytest.raises(ConnectionLostError, match="by this side"):
            await transport.exchange(REQUEST)

    with HttpServer(lambda line: line.drain()) as peer:
        async with dialled(peer) as transport, anyio.create_task_group() as tasks:
            tasks.start_soon(ask, transport)
            for _ in range(5):
                await anyio.lowlevel.checkpoint()

            transport.close()


async def test_some_interim_responses() -> None:
    """Interim responses up to the limit are read and dropped."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * MAX_INTERIM_RESPONSES
    with HttpServer(held(interim, answer(200))) as peer:
        async with dialled(peer) as transport:
            assert (await transport.exchange(REQUEST)).status_code == 200
            assert transport.usable


async def test_a_response_that_does_not_end() -> None:
    """A small body in endless framing (chunk extensions) is refused like a large one."""
    head = answer(200, b"", Content_Length="", Transfer_Encoding="chunked")
    chunk = b"1;" + b"x" * 60_000 + b"\r\ny\r\n"
    with HttpServer(held(head, chunk * 8)) as peer:
        async with dialled(peer) as transport:
            with pytest.raises(ResponseTooLargeError):
                await transport.exchange(REQUEST)


async def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Headers, which may hold an authorization, are in nobody's log, whatever its level.

    Our own steps are logged with what is secret masked: the canary test reads them.
    """
    caplog.set_level(logging.DEBUG)
    with HttpServer(always(answer(200))) as peer:
        async with dialled(peer) as transport:
            await transport.exchange(REQUEST)

    assert {record.name for record in caplog.records} <= {"asyncio", "aiodps.registration"}


@pytest.mark.parametrize(
    ("script", "error"),
    [(once(), ConnectionLostError), (once(b"nonsense\r\n\r\n"), ProtocolError)],
    ids=["closed", "nonsense"],
)
async def test_only_our_errors_leave(script: Script, error: type[Exception]) -> None:
    """What h11 or TLS raises is the cause, and never leaves by itself."""
    with HttpServer(script) as peer:
        async with dialled(peer) as transport:
            with pytest.raises(error) as caught:
                await transport.exchange(REQUEST)

    assert caught.value.__cause__ is not None


async def test_a_body_that_breaks_off() -> None:
    """A body that ends too soon is a lost connection."""
    with HttpServer(once(answer(200, b"{}", Content_Length="9"))) as peer:
        async with dialled(peer) as transport:
            with pytest.raises(ConnectionLostError):
                await transport.exchange(REQUEST)


def custom(handler: Callable[[httpx.Request], httpx.Response]) -> CustomTransport:
    """Make a transport of a caller's own, with a connection to nowhere."""
    return CustomTransport(httpx.MockTransport(handler))


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), OSError("x")], ids=repr
)
async def test_errors_of_a_custom_transport(error: Exception) -> None:
    """What fails like networking is a `TransportError`, which is tried again."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(TransportError) as caught:
        await custom(fail).exchange(REQUEST)

    assert caught.value.__cause__ is error


async def test_mistakes_in_a_custom_transport() -> None:
    """An assertion in a mock fails the test at once instead of being tried again."""

    def mistaken(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    with pytest.raises(AssertionError):
        await custom(mistaken).exchange(REQUEST)


class Closing(httpx.AsyncByteStream):
    """A body in pieces that notes when it is closed."""

    closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Hand out more than may be."""
        yield b"x" * MAX_BODY
        yield b"x"

    async def aclose(self) -> None:
        """Note it."""
        self.closed = True


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, ResponseTooLargeError),
        ({"Content-Length": str(MAX_BODY + 1)}, ResponseTooLargeError),
        ({"Content-Encoding": "gzip"}, ProtocolError),
    ],
    ids=["body", "length", "encoded"],
)
async def test_limits_of_a_custom_transport(
    headers: dict[str, str], error: type[Exception]
) -> None:
    """Limits hold whoever makes the response, and its stream is closed."""
    body = Closing()
    transport = custom(lambda _: httpx.Response(200, headers=headers, stream=body))
    with pytest.raises(error):
        await transport.exchange(REQUEST)

    assert body.closed
