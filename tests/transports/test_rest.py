"""Group H: what a server can answer over HTTPS, and what becomes of it."""

from __future__ import annotations

import gzip
import threading

import anyio
import httpx
import pytest
from tests.emulated import DEVICES, attestation
from tests.scripted.http import HttpServer, Line, always, answer, held, once, open_to, state
from tests.scripted.server import LIMIT, Script, drips, target

import aiodps
from aiodps.errors import (
    ConfigurationError,
    ConnectionLostError,
    ProtocolError,
    ProvisioningError,
    ResponseTooLargeError,
)
from aiodps.network.proxy import Proxy
from aiodps.observe import Step, StepKind
from aiodps.protocol.limits import MAX_BODY, MAX_HEADERS
from aiodps.protocol.messages import QueryStatus, Register
from aiodps.transports.rest import REST

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


def chunked(body: bytes, **headers: str) -> bytes:
    """Write an answer in one chunk."""
    head = answer(200, b"", Content_Length="", Transfer_Encoding="chunked", **headers)
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def reset(line: Line) -> None:
    """Take a request and close with RST."""
    line.take()
    line.reset()


RETRY = {"Retry-After": "3"}
MANY = {f"X-{number}": "x" for number in range(MAX_HEADERS + 1)}


@pytest.mark.parametrize(
    ("script", "error", "reason"),
    [
        pytest.param(once(), ConnectionLostError, None, id="H01"),
        pytest.param(reset, ConnectionLostError, None, id="H02"),
        pytest.param(
            held(b"HTTP/1.1 100 Continue\r\n\r\n" * 9), ProtocolError, "interim", id="H06"
        ),
        pytest.param(
            held(answer(200, X="x" * 200_000)), ResponseTooLargeError, "headers", id="H07"
        ),
        pytest.param(held(answer(200, b"{}", **MANY)), ResponseTooLargeError, "headers", id="H08"),
        pytest.param(
            held(answer(200, X="x" * 70_000)), ResponseTooLargeError, "headers", id="H08-size"
        ),
        pytest.param(
            held(answer(200, b"x" * (MAX_BODY + 1))), ResponseTooLargeError, "body", id="H09"
        ),
        pytest.param(
            held(chunked(b"x" * (MAX_BODY + 1))), ResponseTooLargeError, "body", id="H09-chunked"
        ),
        pytest.param(
            held(answer(200, gzip.compress(b"x" * 2**20), Content_Encoding="gzip")),
            ProtocolError,
            "content_encoding",
            id="H10",
        ),
        pytest.param(
            held(answer(200, Content_Encoding="gzip, gzip, br")),
            ProtocolError,
            "content_encoding",
            id="H11",
        ),
        pytest.param(
            held(answer(200, Content_Encoding="gzip")), ProtocolError, "content_encoding", id="H12"
        ),
        pytest.param(
            once(answer(200, b"{}", Content_Length="10")), ConnectionLostError, None, id="H13"
        ),
        pytest.param(
            once(answer(200, b"", Content_Length="", Transfer_Encoding="chunked"), b"5\r\n{}"),
            ConnectionLostError,
            None,
            id="H13-chunk",
        ),
        pytest.param(
            held(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
            ProtocolError,
            "framing",
            id="H15-two",
        ),
        pytest.param(
            held(answer(200, Content_Length="-1")), ProtocolError, "framing", id="H15-negative"
        ),
        pytest.param(
            held(answer(200, Content_Length="9" * 21)), ProtocolError, "framing", id="H15-21"
        ),
        pytest.param(
            held(answer(200, Content_Length="2", Transfer_Encoding="chunked")),
            ProtocolError,
            "framing",
            id="H16",
        ),
        pytest.param(held(b"garbage\r\n\r\n"), ProtocolError, "framing", id="H17"),
        pytest.param(held(b"HTTP/1.1 0200 OK\r\n\r\n"), ProtocolError, "framing", id="H17-0200"),
        pytest.param(
            held(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ProtocolError, "framing", id="H17-h2"
        ),
        pytest.param(
            held(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
            ProtocolError,
            "framing",
            id="H18-101",
        ),
    ],
)
async def test_broken_answers(
    script: Script, error: type[ProvisioningError], reason: str | None
) -> None:
    """An answer that breaks HTTP ends in its error, at once, and closes the connection."""
    with HttpServer(script) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            with pytest.raises(error) as caught:
                await transport.exchange(Register())

            with pytest.raises(ConnectionLostError):
                await transport.exchange(Register())

    assert type(caught.value) is error
    assert vars(caught.value).get("reason") == reason
    assert caught.value.hint


async def test_the_largest_answers_are_taken() -> None:
    """Limits are limits: what just fits is taken, whole or in chunks."""
    body = b"x" * MAX_BODY
    few = {f"X-{number}": "x" for number in range(MAX_HEADERS - 2)}
    with HttpServer(always(answer(200, body, **few)), always(chunked(body))) as peer:
        for _ in range(2):
            async with open_to(peer) as transport:
                await transport.connect()
                assert (await transport.exchange(Register())).body == body


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda line: line.drain(), id="H03"),
        pytest.param(
            drips(b"x", gap=0.01, after=answer(200, b"", Content_Length="9999")), id="H04"
        ),
        pytest.param(drips(b"X: y\r\n", gap=0.01, after=b"HTTP/1.1 200 OK\r\n"), id="H05"),
    ],
)
async def test_answers_that_never_end(script: Script) -> None:
    """Whatever drips in, the caller's deadline ends the exchange; nothing is left."""
    with HttpServer(script) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            with anyio.move_on_after(0.2) as scope:
                await transport.exchange(Register())

    assert scope.cancelled_caught


async def test_a_token_goes_with_every_request() -> None:
    """What the attestation gives is in the header of each request, and is not told in a step."""
    heads: list[bytes] = []
    steps: list[Step] = []

    def script(line: Line) -> None:
        while True:
            heads.append(line.take()[0])
            line.send(answer(200))

    with HttpServer(script) as peer:
        transport = REST(port=peer.port).open(peer.target(steps.append, sas="SAS"))
        await transport.connect()
        await transport.exchange(Register())
        await transport.exchange(QueryStatus("op"))
        transport.close()

    header = b"Authorization: SAS 0ne00000000/registrations/dev1"
    assert [header in head.splitlines() for head in heads] == [True, True]
    assert not [step for step in steps if "SAS" in step.text]


async def test_no_cookie_comes_back() -> None:
    """H39: a cookie that is set is forgotten."""
    heads: list[bytes] = []

    def script(line: Line) -> None:
        while True:
            heads.append(line.take()[0])
            line.send(answer(200, Set_Cookie="a=b"))

    with HttpServer(script) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            await transport.exchange(Register())
            await transport.exchange(QueryStatus("op"))

    assert len(heads) == 2
    assert not any(b"cookie" in head.lower() for head in heads)


async def test_what_goes_out() -> None:
    """The request is what the REST reference says, and nothing that was not put there."""
    seen: list[tuple[bytes, bytes]] = []

    def script(line: Line) -> None:
        seen.append(line.take())
        line.send(answer(202, state("assigning"), Retry_After="3"))

    with HttpServer(script) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            response = await transport.exchange(Register({"a": 1}))

    head, body = seen[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == (
        "PUT /0ne00000000/registrations/dev1/register?api-version=2021-10-01 HTTP/1.1"
    )
    assert sorted(line.partition(":")[0].lower() for line in lines[1:]) == [
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ]
    assert body == b'{"registrationId": "dev1", "payload": {"a": 1}}'
    assert response.retry_after == 3.0


async def test_early_answers_are_heard() -> None:
    """A server that refuses without reading the request is heard all the same."""
    done = threading.Event()

    def script(line: Line) -> None:
        line.read(1)
        line.send(answer(413, b'{"errorCode":400000}'))
        done.wait(LIMIT)

    with HttpServer(script) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            response = await transport.exchange(Register({"a": "x" * 90_000}))

        done.set()

    assert response.status_code == 413


async def test_a_surplus_response_is_not_the_next() -> None:
    """What a server sends unasked behind a response is dropped with its connection."""
    surplus = answer(200, state("assigned", registrationState="forged"))
    with HttpServer(held(answer(202), surplus), always(answer(404))) as peer:
        async with open_to(peer) as transport:
            await transport.connect()
            first = await transport.exchange(Register())
            await transport.connect()
            second = await transport.exchange(QueryStatus("op"))

    assert (first.status_code, second.status_code, len(peer.lines)) == (202, 404, 2)


async def test_steps() -> None:
    """Request and answer are told as curl would show them, with the payload masked."""
    steps: list[Step] = []
    with HttpServer(always(answer(200, state("assigned", payload="canary")))) as peer:
        async with open_to(peer, steps.append) as transport:
            await transport.connect()
            await transport.exchange(Register({"wifi": "canary"}))

    texts = {step.kind: step.text for step in steps}
    assert [step.kind for step in steps] == [
        StepKind.CONNECTED,
        StepKind.SECURED,
        StepKind.SENT,
        StepKind.RECEIVED,
    ]
    assert texts[StepKind.SENT].startswith("PUT /0ne00000000/registrations/dev1/register?")
    assert texts[StepKind.RECEIVED].startswith("HTTP/1.1 200\n")
    assert not any("canary" in text for text in texts.values())


@pytest.mark.parametrize("port", [0, 65536, "443", True])
def test_ports(port: object) -> None:
    """C07: a port that does not exist is refused."""
    with pytest.raises(ConfigurationError) as caught:
        REST(port=port)  # type: ignore[arg-type]  # that is the point

    assert caught.value.setting == "port"


class Recorded(httpx.MockTransport):
    """A transport that the caller closes, not we."""

    async def aclose(self) -> None:
        """Fail the test."""
        raise AssertionError


async def test_an_http_transport_of_ones_own() -> None:
    """An httpx transport is used instead of dialling, its steps are told, and it stays open."""
    steps: list[Step] = []
    mock = Recorded(lambda _: httpx.Response(200, content=state("assigned"), headers=RETRY))
    with HttpServer(once()) as peer:
        async with open_to(peer, steps.append, http_transport=mock) as transport:
            for request in (Register(), QueryStatus("op")):
                await transport.connect()
                response = await transport.exchange(request)

    assert (response.status_code, response.retry_after, len(peer.lines)) == (200, 3.0, 0)
    assert [step.kind for step in steps] == [StepKind.SENT, StepKind.RECEIVED] * 2


@pytest.mark.parametrize("name", ["proxy", "address"])
def test_an_http_transport_of_ones_own_connects_by_itself(name: str) -> None:
    """A proxy that it would not use is refused, and so is an address."""
    given = {"proxy": Proxy.parse("http://p:1"), "address": "10.0.0.1"}[name]
    mock = httpx.MockTransport(lambda _: httpx.Response(200))
    with pytest.raises(ConfigurationError) as caught:
        REST(http_transport=mock).open(target(**{name: given}))  # type: ignore[arg-type]  # each its own

    assert caught.value.setting == name


async def test_provision_against_a_mock() -> None:
    """The example of docs/settings.md: a whole registration without a network."""
    registration = {"deviceId": "d", "assignedHub": "h.azure-devices.net", "status": "assigned"}
    answered = {"operationId": "4.1", "status": "assigned", "registrationState": registration}
    mock = httpx.MockTransport(lambda request: httpx.Response(200, json=answered))
    assignment = await aiodps.provision(
        id_scope="0ne00000000",
        attestation=attestation(DEVICES["root"]),
        transport=aiodps.REST(http_transport=mock),
    )

    assert assignment.assigned_hub == "h.azure-devices.net"


def test_another_kind_of_transport() -> None:
    """A transport that cannot be awaited is refused when it is given."""
    with pytest.raises(ConfigurationError) as caught:
        REST(http_transport=httpx.HTTPTransport())  # type: ignore[arg-type]  # that is the point

    assert caught.value.setting == "http_transport"
