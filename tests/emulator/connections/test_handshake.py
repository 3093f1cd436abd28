"""Handshakes that go wrong on purpose, over real sockets, and the journal of those that fail."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator

import anyio
import pytest
from tests import certificates
from tests.emulated import SCOPE, device, running
from tests.scripted_client import client_context, connect, mqtt, mqtt_connect
from tests.virtual_time import virtual_time

from aiodps.emulator import Emulator
from aiodps.emulator.connections.deliver import SILENCE_SECONDS
from aiodps.emulator.connections.delivery import Delivery, Ending
from aiodps.emulator.connections.handshake import TlsHandshake
from aiodps.emulator.connections.timeouts import PeerTimeout
from aiodps.emulator.connections.tls import TlsStream, server_context
from aiodps.pki import Credential

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
LOST = (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError, OSError)
PATH = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"


def rule(text: str) -> dict[str, str]:
    """Make the option of an emulator."""
    return {"faults": f'[[rule]]\noperation = "handshake"\n{text}'}


class Always:
    """Decides the same for every connection."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def on_accept(self) -> Delivery:
        """Say it."""
        return self._delivery

    def on_failure(self, reason: str) -> None:
        """Take down nothing."""


@contextlib.contextmanager
def greeted(
    delivery: Delivery,
) -> Iterator[tuple[socket.socket, Callable[[], Coroutine[None, None, TlsStream | None]]]]:
    """Give the client's end of a connection on which it has greeted, and what accepts it.

    That returns None if the connection is given up.
    """
    context = server_context(certificates.root().server(["localhost"]))
    handshake = TlsHandshake(context=context, hook=Always(delivery))
    hello = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="x")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()

    client, server = socket.socketpair()
    client.setblocking(False)
    server.setblocking(False)
    client.send(hello.read())

    async def accept() -> TlsStream | None:
        async with anyio.create_task_group() as tasks:
            with PeerTimeout() as peer_timeout:
                return await handshake.accept(server, peer_timeout, tasks)

        return None

    with client, server:
        yield client, accept


async def shake(dps: Emulator, credential: Credential | None = None) -> BaseException | None:
    """Shake hands and see whether the connection lives; return what went wrong."""
    try:
        async with await connect(dps.https_port, client_context(dps, credential)) as stream:
            await stream.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await stream.receive()
    except LOST as exc:
        return exc

    return None


def reason(error: BaseException | None) -> str:
    """Return what TLS said."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__

    return "" if error is None else str(error.reason)


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (42, "BAD_CERTIFICATE"),
        (45, "CERTIFICATE_EXPIRED"),
        (48, "UNKNOWN_CA"),
        (49, "ACCESS_DENIED"),
        (40, "HANDSHAKE_FAILURE"),
        (80, "INTERNAL_ERROR"),
    ],
)
async def test_an_alert(alert: int, said: str) -> None:
    """In answer to the ClientHello; it is what the client's TLS reports."""
    async with running(**rule(f"alert = {alert}")) as dps:
        assert said in reason(await shake(dps, device()))


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_an_end_before_anything(how: str) -> None:
    """The next connection is taken."""
    async with running(**rule(f'first = 1\ndrop = "before"\nhow = "{how}"')) as dps:
        assert await shake(dps) is not None
        assert await shake(dps) is None


async def test_an_end_right_after_it() -> None:
    """The handshake succeeds, and nothing else does."""
    async with running(**rule('first = 1\ndrop = "sent"')) as dps:
        with pytest.raises(LOST):
            async with await connect(dps.https_port, client_context(dps)) as stream:
                await stream.receive()

        assert await shake(dps) is None


@virtual_time
async def test_silence() -> None:
    """The ClientHello is taken, and nothing comes back until the connection is given up."""
    began = anyio.current_time()
    with greeted(Delivery(ending=Ending.SILENCE, sent=False)) as (client, accept):
        assert await accept() is None
        assert anyio.current_time() - began == pytest.approx(SILENCE_SECONDS)
        with pytest.raises(BlockingIOError):
            client.recv(1)


async def test_garbage() -> None:
    """What comes back is not TLS."""
    async with running(**rule('garbage = "message"')) as dps:
        assert reason(await shake(dps)) != ""


@virtual_time
async def test_a_delay() -> None:
    """And then all is well: the server's part of the handshake comes."""
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        with greeted(Delivery(delay=20)) as (client, accept):
            tasks.start_soon(accept)
            await anyio.wait_readable(client)
            assert anyio.current_time() - began == pytest.approx(20)
            assert client.recv(3) == b"\x16\x03\x03"
            tasks.cancel_scope.cancel()


async def test_only_one_port() -> None:
    """If the rule says so."""
    async with running(**rule('transport = "mqtt"\ndrop = "before"')) as dps:
        assert await shake(dps) is None
        with pytest.raises(LOST):
            async with mqtt(dps, device(), mqtt_connect()) as client:
                await client.take()


async def test_what_is_written_down() -> None:
    """The fault; and handshakes that fail without our doing."""
    async with running(**rule("first = 1\nalert = 48")) as dps:
        await shake(dps, device())
        async with await anyio.connect_tcp("127.0.0.1", dps.https_port) as plain:
            await plain.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(*LOST):
                await plain.receive()

        struck, failed = dps.request_log
        assert (struck.what, struck.fault) == ("TLS handshake", "rule 1")
        assert (struck.certificate, struck.status_code) == (None, 0)
        assert (failed.what, failed.fault) == ("TLS handshake", None)
        assert failed.message is not None
        assert "http request" in failed.message
