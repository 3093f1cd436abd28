"""One HTTP connection over the dialler's: whether it stands, and what leaves it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.lowlevel
import httpx
import pytest
from tests.scripted.http import HttpServer, Line, always, answer, once
from tests.scripted.server import Script

from aiodps.errors import ConnectionLostError, ProtocolError
from aiodps.network.dial import dial
from aiodps.transports.http_connection import SingleConnectionTransport

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def dialled(peer: HttpServer) -> AsyncIterator[SingleConnectionTransport]:
    """Connect to a peer."""
    transport = SingleConnectionTransport(await dial(peer.target().at_port(peer.port)))
    try:
        yield transport
    finally:
        transport.close()


REQUEST = httpx.Request("GET", "https://dps.test/x?y=1")


async def test_it_is_an_httpx_transport() -> None:
    """A request of httpx goes in, a response of httpx comes out, and the body can be read."""
    with HttpServer(always(answer(404, b'{"a":1}', X="y"))) as peer:
        async with dialled(peer) as transport:
            response = await transport.handle_async_request(REQUEST)
            await response.aread()

    assert (response.status_code, response.json(), response.headers["x"]) == (404, {"a": 1}, "y")


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


@pytest.mark.parametrize(
    ("script", "error"),
    [(once(), ConnectionLostError), (once(b"nonsense\r\n\r\n"), ProtocolError)],
    ids=["closed", "nonsense"],
)
async def test_only_our_errors_leave(script: Script, error: type[Exception]) -> None:
    """What httpcore or TLS raise is the cause, and never leaves by itself."""
    with HttpServer(script) as peer:
        async with dialled(peer) as transport:
            with pytest.raises(error) as caught:
                await transport.handle_async_request(REQUEST)

    assert caught.value.__cause__ is not None


async def test_a_body_that_breaks_off() -> None:
    """A body that ends too soon is a lost connection."""
    with HttpServer(once(answer(200, b"{}", Content_Length="9"))) as peer:
        async with dialled(peer) as transport:
            response = await transport.handle_async_request(REQUEST)
            with pytest.raises(ConnectionLostError):
                await response.aread()
