"""The upgrade to a WebSocket, and what may come instead; real sockets, real TLS."""

from __future__ import annotations

import pytest
from tests.scripted import http
from tests.scripted.server import Line, Script, silent, steps
from tests.scripted.websocket import accepting
from tests.transports.traces import traces

from aiodps.errors import (
    ConnectionLostError,
    ProtocolError,
    ProvisioningError,
    RedirectRefusedError,
    ResponseTooLargeError,
    ServiceUnavailableError,
    ThrottledError,
    TransportTimeoutError,
    UnexpectedStatusError,
)
from aiodps.models import Phase
from aiodps.observe import Step, StepKind
from aiodps.registration.retry import RetryClass, classify
from aiodps.transports import mqtt, upgrade
from aiodps.transports.mqtt import MQTT

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sockets,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]
PORTAL = b"<html><body>\n  Please <b>log in</b>\x1b[2J" + b"." * 5000


async def refused(script: Script, steps_seen: list[Step] | None = None) -> ProvisioningError:
    """Connect to a server, and return what that came to; nothing is left."""
    before = traces()
    with http.HttpServer(script) as peer:
        observer = None if steps_seen is None else steps_seen.append
        transport = MQTT(port=peer.port, websocket=True).open(peer.target(observer))
        with pytest.raises(ProvisioningError) as caught:
            await transport.connect()

        transport.close()

    assert traces() == before
    assert caught.value.phase is Phase.SESSION
    return caught.value


def answering(status: int, body: bytes = b"", **headers: str) -> Script:
    """Answer the upgrade like any request."""
    return http.held(http.answer(status, body, **headers))


@pytest.mark.parametrize(
    ("status", "kind", "retried"),
    [
        *((status, UnexpectedStatusError, RetryClass.FINAL) for status in (400, 401, 403, 404)),
        (429, ThrottledError, RetryClass.TRANSIENT),
        (503, ServiceUnavailableError, RetryClass.TRANSIENT),
    ],
)
async def test_refused(status: int, kind: type[ProvisioningError], retried: RetryClass) -> None:
    """Status and body are told; a 401 does not come from DPS, which has not heard of the device."""
    error = await refused(answering(status, b"denied by\r\n policy", Retry_After="7"))

    assert type(error) is kind
    assert error.status_code == status  # type: ignore[attr-defined]
    assert f"HTTP {status}: 'denied by policy'" in error.message
    assert classify(error) is retried
    assert getattr(error, "retry_after", None) == (
        7.0 if retried is RetryClass.TRANSIENT else None
    )


@pytest.mark.parametrize("status", [200, 403, 511])
async def test_a_captive_portal(status: int) -> None:
    """A page is told as that, with a bounded part of it that only prints."""
    error = await refused(answering(status, PORTAL, Content_Type="text/html; charset=utf-8"))

    assert isinstance(error, UnexpectedStatusError)
    assert "captive portal" in error.hint
    assert "Please <b>log in</b>?[2J" in error.message
    assert len(error.message) < 350


async def test_a_redirect() -> None:
    """It is not followed, and its target is told."""
    error = await refused(answering(302, Location="https://portal.test/login?token=x"))

    assert isinstance(error, RedirectRefusedError)
    assert error.reason == "portal.test"


async def test_the_body_need_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is told although the body that was announced does not come."""
    monkeypatch.setattr(upgrade, "BODY_TIMEOUT", 0.01)
    error = await refused(answering(403, Content_Length="100"))

    assert "HTTP 403" in error.message


async def test_a_body_that_is_cut_short() -> None:
    """So it is if the connection is lost meanwhile."""
    reply = http.answer(403, b"so", Content_Length="100")
    error = await refused(steps(http.Line.take, reply, Line.end, Line.drain))

    assert "HTTP 403: 'so'" in error.message


def accepted(*, without: str = "", change: tuple[str, str] = ("", "")) -> Script:
    """Accept, but for a header."""

    def script(line: http.Line) -> None:
        head, _ = line.take()
        reply = accepting(head.decode()).decode()
        kept = [each for each in reply.split("\r\n") if not without or without not in each]
        line.send("\r\n".join(kept).replace(*change).encode())
        line.drain()

    return script


@pytest.mark.parametrize(
    ("script", "kind", "reason"),
    [
        pytest.param(accepted(without="Accept"), ProtocolError, "websocket", id="no-accept"),
        pytest.param(accepted(without="Upgrade:"), ProtocolError, "websocket", id="no-upgrade"),
        pytest.param(accepted(without="Protocol:"), ProtocolError, "websocket", id="no-mqtt"),
        pytest.param(
            accepted(change=("mqtt", "amqp")), ProtocolError, "websocket", id="another-protocol"
        ),
        pytest.param(
            accepted(change=("mqtt", "m\xf6tt")), ProtocolError, "websocket", id="not-ascii"
        ),
        pytest.param(
            accepted(change=("\r\n\r\n", "\r\nSec-WebSocket-Extensions: zip\r\n\r\n")),
            ProtocolError,
            "websocket",
            id="extension",
        ),
        pytest.param(
            steps(http.Line.take, b"SSH-2.0\r\n\r\n", silent), ProtocolError, "framing", id="ssh"
        ),
        pytest.param(
            steps(http.Line.take, b"HTTP/1.1 101 X\r\nA: " + b"x" * 100_000, silent),
            ResponseTooLargeError,
            "headers",
            id="endless-head",
        ),
        pytest.param(
            steps(http.Line.take, b"HTTP/1.1 103 X\r\n\r\n" * 10_000, silent),
            ResponseTooLargeError,
            "headers",
            id="interim",
        ),
    ],
)
async def test_not_a_websocket(script: Script, kind: type[ProtocolError], reason: str) -> None:
    """An answer that violates the protocol is told as that."""
    error = await refused(script)

    assert type(error) is kind
    assert error.reason == reason


async def test_a_subprotocol_without_end() -> None:
    """A bounded part of it is told."""
    error = await refused(accepted(change=("mqtt", "m" * 9000)))

    assert "unrecognized subprotocol mmm" in error.message
    assert len(error.message) < 350


async def test_the_server_hangs_up() -> None:
    """A server that closes the connection in place of an answer."""
    error = await refused(steps(http.Line.take, Line.end, Line.drain))

    assert isinstance(error, ConnectionLostError)
    assert "upgrade" in error.message


async def test_the_server_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer has a time limit of its own."""
    monkeypatch.setattr(mqtt, "UPGRADE_TIMEOUT", 0.01)
    error = await refused(steps(http.Line.take, silent))

    assert isinstance(error, TransportTimeoutError)
    assert "answer to the upgrade" in error.message


async def test_steps() -> None:
    """What is sent and received is told, with secrets masked."""
    seen: list[Step] = []
    await refused(answering(403, b"no", Set_Cookie="id=1"), seen)
    told = [(step.kind, step.text) for step in seen if step.phase is Phase.SESSION]

    assert [kind for kind, _ in told] == [StepKind.SENT, StepKind.RECEIVED]
    assert told[0][1].startswith("GET /$iothub/websocket HTTP/1.1")
    assert told[1][1].startswith("HTTP/1.1 403\n")
    assert "id=1" not in told[1][1]
    assert told[1][1].endswith("\n\nno")
