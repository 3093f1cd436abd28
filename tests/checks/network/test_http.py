"""An HTTP answer is read as far as its head; what is not one is told."""

from __future__ import annotations

import pytest
from tests.checks.staged import findings, plan, server
from tests.scripted.http import HttpServer
from tests.scripted.server import says_and_hangs_up, silent, steps
from tests.scripted.tls import serving
from tests.transports.hosts import hosts

__all__ = ["hosts"]

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sockets,
    pytest.mark.usefixtures("hosts"),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


@pytest.mark.parametrize(
    "answer", [b"hello\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 99_999], ids=len
)
async def test_not_http(answer: bytes) -> None:
    """Anything else, nothing at all, and a head without end."""
    with HttpServer(silent, says_and_hangs_up(answer), tls=serving(server())) as peer:
        found = await findings(plan(peer.port))

    assert found[f"http {peer.port}"].fault == "not_http"
    assert "clock" not in found


async def test_interim_response() -> None:
    """It is passed over; the answer that follows counts, a status of 500 too: it got through."""
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
    script = steps(says_and_hangs_up(answer))
    with HttpServer(silent, script, tls=serving(server())) as peer:
        found = await findings(plan(peer.port))

    assert found[f"http {peer.port}"].seen == "answered, status 503"
    assert found["clock"].seen == "the answer has no valid Date"
