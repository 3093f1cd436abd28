"""From bytes to requests: the same however they are cut, and within limits."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.frontends.http.requests import (
    MAX_REQUEST,
    HttpRequest,
    RefusedError,
    RequestReader,
)

TWO = (
    b"PUT /a HTTP/1.1\r\nHost: x\r\nA: 1\r\nA: 2\r\nContent-Length: 2\r\n\r\n{}"
    b"GET http://x/b?c=d HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1\r\n \r\n0\r\nA: trailer\r\n\r\n"
)
PUT = HttpRequest(
    method="PUT", target="/a", headers={"host": "x", "a": "1", "content-length": "2"}, body=b"{}"
)
GET = HttpRequest(
    method="GET", target="/b?c=d", headers={"host": "x", "transfer-encoding": "chunked"}, body=b" "
)


def read(*pieces: bytes) -> list[HttpRequest]:
    """Return all complete requests."""
    reader, requests = RequestReader(), []
    for piece in pieces:
        reader.feed(piece)
        while request := reader.next_request():
            requests.append(request)

    reader.close()
    return requests


@pytest.mark.parametrize("at", range(0, len(TWO), 7))
def test_any_cut_gives_the_same_requests(at: int) -> None:
    """The first of repeated headers counts, a trailer does not; the target is path and query."""
    assert read(TWO[:at], TWO[at:]) == [PUT, GET]


@given(data=st.binary())
def test_any_bytes_are_refused_or_incomplete(data: bytes) -> None:
    """Nothing else is raised."""
    for pieces in ((data,), (b"GET / HTTP/1.1\r\nHost: a\r\n", data)):
        with contextlib.suppress(RefusedError):
            read(*pieces)


def test_a_request_before_one_that_is_refused_counts() -> None:
    """It came first, and is answered."""
    reader = RequestReader()
    reader.feed(TWO + b"nonsense")

    assert [reader.next_request(), reader.next_request()] == [PUT, GET]
    with pytest.raises(RefusedError):
        reader.next_request()


@pytest.mark.parametrize(
    ("head", "keep_alive", "chunked"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True, True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False, True),
        (b"GET / HTTP/1.0\r\n\r\n", False, False),
    ],
)
def test_what_the_client_takes(head: bytes, *, keep_alive: bool, chunked: bool) -> None:
    """Whether another request may follow, and whether it knows chunks."""
    (request,) = read(head)

    assert (request.keep_alive, request.chunked) == (keep_alive, chunked)


def test_what_follows_a_change_of_protocol_is_not_http() -> None:
    """Unless the protocol is not changed: then it is the next request."""
    reader = RequestReader()
    reader.feed(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + TWO)

    assert reader.next_request() is not None
    assert reader.unread == TWO
    assert reader.next_request() == PUT
    assert reader.unread == b""


def test_a_client_waits_to_be_told_to_send_the_body() -> None:
    """Once; not if it does not."""
    reader = RequestReader()
    reader.feed(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")

    assert [reader.awaits_continue(), reader.awaits_continue()] == [True, False]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (
            b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: "
            + bytes(MAX_REQUEST).replace(b"\0", b"a"),
            413,
        ),
    ],
    ids=["version", "endless trailer"],
)
def test_limits(data: bytes, status: int) -> None:
    """Those that no test of a whole connection shows."""
    with pytest.raises(RefusedError) as caught:
        read(data)

    assert caught.value.status_code == status
