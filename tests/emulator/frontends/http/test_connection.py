"""HTTP/1.1: what real clients send is taken, and everything has a limit."""

from __future__ import annotations

from itertools import chain, repeat

import anyio
import pytest
from tests.emulated import running
from tests.emulator.in_memory import Emulated
from tests.scripted_client import HttpClient, http
from tests.virtual_time import virtual_time

from aiodps.emulator.frontends.http import connection
from aiodps.emulator.frontends.http.requests import MAX_BODY, MAX_HEAD

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
PATH = "/0ne00000000/registrations/device-1"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(("Content-Type: application/json",), b"", id="nothing special"),
        pytest.param(("Content-Encoding:  utf-8",), b"", id="curl of the articles"),
        pytest.param(("Content-Type: application/json; charset=utf-8",), b"{}", id="node: a body"),
        pytest.param(
            ("Authorization: SharedAccessSignature sr=a/registrations/b",), b"", id="sas"
        ),
    ],
)
async def test_real_clients_headers_are_taken(headers: tuple[str, ...], body: bytes) -> None:
    """A stricter server would answer 400 or 415 to some; here the path decides."""
    async with running() as dps, http(dps) as client:
        answer = await client.ask(
            "GET", f"{PATH}/operations/o?api-version=2019-03-31", body, headers
        )

        assert answer.status not in {400, 415}


async def test_a_connection_serves_many_requests() -> None:
    """Also when they come at once, and in an order."""
    async with running() as dps, http(dps) as client:
        await client.stream.send(
            b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(3))
        )
        answers = [await client.answer() for _ in range(3)]

        assert [answer.status for answer in answers] == [404] * 3
        assert ["'/0'" in answers[0].body["message"], "'/2'" in answers[2].body["message"]]


async def test_a_target_with_scheme_and_host_is_taken() -> None:
    """As a client behind a proxy may send it."""
    async with running() as dps, http(dps) as client:
        answer = await client.ask("GET", f"https://localhost{PATH}/register")

        assert (answer.status, answer.headers["Allow"]) == (405, "PUT")


async def test_close_means_close() -> None:
    """The server ends the connection when the client said it would be the last request."""
    async with running() as dps, http(dps) as client:
        answer = await client.ask("GET", "/", headers=["Connection: close"])

        assert answer.headers["Connection"] == "close"
        await assert_ended(client)


async def test_a_chunked_body_is_read() -> None:
    """And the largest one that may be."""
    async with running() as dps, http(dps) as client:
        head = "Transfer-Encoding: chunked"
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (MAX_BODY, b" " * MAX_BODY)
        await client.stream.send(f"POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n".encode() + chunks)

        assert (await client.answer()).status == 404


async def test_a_client_that_asks_may_go_on() -> None:
    """`Expect: 100-continue`."""
    async with running() as dps, http(dps) as client:
        await client.stream.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        go_on = await client.answer()
        await client.stream.send(b"{}")

        assert go_on.status == 100
        assert (await client.answer()).status == 404


async def test_head_is_answered_without_a_body() -> None:
    """The next answer is not taken for it."""
    async with running() as dps, http(dps) as client:
        await client.stream.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = (await client._until(b"\r\n\r\n")).decode()

        assert head.startswith("HTTP/1.1 404")
        assert (await client.ask("GET", "/")).status == 404


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"HELLO\r\n\r\n", 400, id="no http"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00y\r\n\r\n", 400, id="control character"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
            id="two lengths",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            501,
            id="other transfer encoding",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            id="two lengths of two kinds",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            id="no chunk",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1),
            413,
            id="a body too long, announced",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"%x\r\n" % (MAX_BODY + 1) + bytes(MAX_BODY + 1),
            413,
            id="a body too long, sent",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 3 * MAX_HEAD, 431, id="header too long"
        ),
        pytest.param(b"GET /" + b"x" * 3 * MAX_HEAD, 431, id="target too long"),
        pytest.param(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03dev", 400, id="mqtt"),
    ],
)
async def test_what_cannot_be_read_is_refused(data: bytes, status: int) -> None:
    """With a proper answer, which ends the connection."""
    async with running() as dps, http(dps) as client:
        await client.stream.send(data)
        answer = await client.answer()

        assert answer.status == status
        assert answer.headers["Connection"] == "close"
        assert answer.body["errorCode"] == status * 1000
        await assert_ended(client)


@pytest.mark.parametrize(
    ("limit", "begun"),
    [
        pytest.param("IDLE_SECONDS", b"", id="idle"),
        pytest.param("REQUEST_SILENCE", b"GET / HT", id="half a request"),
        pytest.param(
            "REQUEST_TOTAL", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{", id="drip"
        ),
    ],
)
async def test_who_takes_too_long_is_ended(
    limit: str, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word; another connection is not disturbed."""
    async with running() as dps, http(dps) as other, http(dps) as client:
        await other.ask("GET", "/")
        monkeypatch.setattr(connection, limit, 0.05)
        await client.ask("GET", "/")
        if begun:
            await client.stream.send(begun)

        await assert_ended(client)
        monkeypatch.undo()

        assert (await other.ask("GET", "/")).status == 404


@virtual_time
async def test_a_drip_is_ended() -> None:
    """Slowloris: each byte is progress, and the whole takes too long all the same."""
    began = anyio.current_time()
    pieces = chain([b"GET / HTTP/1.1\r\nA: "], repeat(b"a"))
    slow = await Emulated().meet("http", pieces, every=1)

    assert slow.sent == []
    assert anyio.current_time() - began == pytest.approx(connection.REQUEST_TOTAL, abs=5)


async def assert_ended(client: HttpClient) -> None:
    """Check that the server closes the connection, and says nothing more."""
    with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
        await client.stream.receive()
