"""Every transport keeps the contract of `transports.base`."""

from __future__ import annotations

import dataclasses
import resource
import ssl
import threading
from collections.abc import Iterator

import anyio
import pytest
from tests.scripted.proxies import KINDS
from tests.scripted.running_proxy import Through, running_proxy
from tests.scripted.server import THREADS, Line, ScriptedServer, alert, says
from tests.scripted.tls import demanding
from tests.transports.conformance import CASES, Kit
from tests.transports.traces import cancelled_at, look_at_newer_objects_only, traces

from aiodps.errors import (
    ClientCertificateRejectedError,
    ConnectError,
    ConnectionLostError,
    ProvisioningError,
    ProxyError,
    ResponseTooLargeError,
    ServerIdentityError,
    TlsProtocolError,
    TransportError,
)
from aiodps.network import handshake_limiter
from aiodps.network.trust import Trust
from aiodps.protocol.messages import QueryStatus, Register
from aiodps.transports.base import Transport

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.anyio,
    pytest.mark.parametrize(("kit", "anyio_backend"), CASES, ids=str, indirect=True),
]


@pytest.fixture(scope="module")
def proxy_ports() -> Iterator[dict[str, int]]:
    """One proxy for all, which wants a password."""
    with running_proxy() as port:
        yield {kind.name: port for kind in KINDS if kind.authenticates}


@pytest.fixture
def kit(request: pytest.FixtureRequest) -> Kit:
    """Give the kit, with its proxy if it has one."""
    kit: Kit = request.param
    if kit.proxy is None:
        return kit

    port = request.getfixturevalue("proxy_ports")[kit.proxy.name]
    direct, proxy = kit.factory, kit.proxy.proxy(port)
    return dataclasses.replace(kit, factory=lambda port: Through(direct(port), proxy))


def opened(kit: Kit, peer: ScriptedServer) -> Transport:
    """Open the kit's transport to a server."""
    return kit.factory(peer.port).open(peer.target(transport=kit.name))


@pytest.mark.parametrize("status", [200, 202, 204, 302, 400, 401, 404, 429, 500, 503, 999])
async def test_any_status_is_a_response(kit: Kit, status: int) -> None:
    """2: whatever the status, it is an answer and not an error."""
    body = b"" if status == 204 else b'{"a":1}'
    with kit.server(kit.answering(status, body)) as peer:
        transport = opened(kit, peer)
        await transport.connect()
        response = await transport.exchange(Register())
        transport.close()

    assert (response.status_code, response.body) == (status, body)


async def test_one_connection_for_all(kit: Kit) -> None:
    """1: connecting again costs nothing while the connection stands."""
    with kit.server(kit.answering(202, b"{}")) as peer:
        transport = opened(kit, peer)
        for _ in range(3):
            await transport.connect()
            await transport.exchange(QueryStatus("op"))

        transport.close()

    assert len(peer.lines) == 1


async def test_a_lost_connection_is_replaced(kit: Kit) -> None:
    """1: a connection that the server has closed in the meantime is noticed and replaced."""
    with kit.server(kit.closing_after_answer, kit.answering(200, b"{}")) as peer:
        transport = opened(kit, peer)
        await transport.connect()
        await transport.exchange(Register())
        while len(peer.lines) < 2:
            await transport.connect()

        response = await transport.exchange(QueryStatus("op"))
        transport.close()

    assert response.status_code == 200


async def test_nothing_is_followed(kit: Kit) -> None:
    """2, 4: a redirect is an answer; nobody else is ever dialled."""
    with kit.server(kit.answering(302, b"{}")) as peer:
        transport = opened(kit, peer)
        await transport.connect()
        assert (await transport.exchange(Register())).status_code == 302
        transport.close()

    assert len(peer.lines) == 1


async def test_early_close(kit: Kit) -> None:
    """3: a connection closed before the answer is told as lost, at once."""
    with kit.server(kit.closing_before_answer) as peer:
        transport = opened(kit, peer)
        await transport.connect()
        with pytest.raises(ConnectionLostError):
            await transport.exchange(Register())

        transport.close()


async def test_oversized(kit: Kit) -> None:
    """3: an answer over the limit is refused without being held."""
    with kit.server(kit.oversized) as peer:
        transport = opened(kit, peer)
        await transport.connect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(ResponseTooLargeError):
            await transport.exchange(Register())

        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        transport.close()

    assert after - before < 16 * 1024


@pytest.mark.parametrize(
    ("number", "error"),
    [
        *(
            (number, ClientCertificateRejectedError)
            for number in (42, 43, 44, 45, 46, 48, 49, 116)
        ),
        *((number, TlsProtocolError) for number in (40, 70, 71, 86, 112, 120)),
        *((number, ConnectionLostError) for number in (80, 90)),
    ],
)
async def test_alerts(kit: Kit, number: int, error: type[ProvisioningError]) -> None:
    """3: a TLS alert is told as what it is, at once."""
    with ScriptedServer(says(alert(number))) as peer:
        transport = opened(kit, peer)
        with pytest.raises(error) as caught:
            await transport.connect()

    assert caught.value.phase == "tls"
    assert isinstance(caught.value.__cause__, ssl.SSLError)


async def test_certificate_required_under_tls_1_3(kit: Kit) -> None:
    """3: under TLS 1.3 a refused certificate is heard of after the handshake; told all the same."""
    with kit.server(tls=demanding()) as peer:
        transport = opened(kit, peer)
        with pytest.raises(ClientCertificateRejectedError) as caught:
            await first_exchange(transport)

    assert caught.value.reason == "certificate_required"
    assert isinstance(caught.value.__cause__, ssl.SSLError)


async def first_exchange(transport: Transport) -> None:
    """Connect and register."""
    await transport.connect()
    await transport.exchange(Register())


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_closed_in_the_handshake(kit: Kit, how: str) -> None:
    """3: a peer that hangs up in the handshake is told as that, with a hint, at once."""
    with ScriptedServer(Line.end if how == "fin" else Line.reset) as peer:
        transport = opened(kit, peer)
        with pytest.raises(TransportError) as caught:
            await transport.connect()

    if kit.proxy is not None and caught.value.phase == "proxy":
        # It saw the reset before it had said yes.
        assert isinstance(caught.value, ProxyError)
        return

    assert isinstance(caught.value, ConnectionLostError)
    assert caught.value.phase in {"tls", "tcp"}


async def test_not_tls(kit: Kit) -> None:
    """S32: a port that speaks no TLS is told as that."""
    with ScriptedServer(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as peer:
        transport = opened(kit, peer)
        with pytest.raises(TlsProtocolError) as caught:
            await transport.connect()

    assert caught.value.reason == "not_tls"


async def test_refused(kit: Kit) -> None:
    """3: a closed port is told, and connect may be called again."""
    with kit.server(kit.silent) as peer:
        target = peer.target()

    transport = kit.factory(peer.port).open(target)
    for _ in range(2):
        with pytest.raises(ConnectError if kit.proxy is None else ProxyError):
            await transport.connect()


async def test_a_stranger_hears_nothing(kit: Kit) -> None:
    """Not one byte of the registration reaches a server whose certificate is not trusted."""
    with kit.server() as peer:
        target = peer.target()
        stranger = dataclasses.replace(target, trust=Trust.of(None))
        with pytest.raises(ServerIdentityError):
            await kit.factory(peer.port).open(stranger).connect()

    assert [line.received for line in peer.lines] == [b""]


async def test_cancelled_at_every_await(kit: Kit) -> None:
    """5: cancelled wherever it waits, a transport leaves nothing, closed or not."""

    async def flow(transport: Transport) -> None:
        for request in (Register(), QueryStatus("op"), QueryStatus("op")):
            await transport.connect()
            await transport.exchange(request)

    with kit.server(kit.answering(202, b"{}")) as peer:
        warm = opened(kit, peer)
        await flow(warm)
        warm.close()

    look_at_newer_objects_only()
    reached = True
    k = -1
    while reached:
        k += 1
        before = traces()
        with kit.server(kit.answering(202, b"{}")) as peer:
            transport = opened(kit, peer)
            reached = await cancelled_at(k, lambda: flow(transport))  # noqa: B023 (awaited at once)
            if not reached:
                transport.close()

        assert traces() == before, f"cancelled at {k}"

    assert k >= 4


async def test_close_at_any_time(kit: Kit) -> None:
    """7: closing is possible before, and twice."""
    with kit.server(kit.answering(202, b"{}")) as peer:
        transport = opened(kit, peer)
        transport.close()
        await transport.connect()
        transport.close()
        transport.close()
        with pytest.raises(ConnectionLostError):
            await transport.exchange(Register())


async def test_silent_peers_delay_nobody(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred peers that accept and say nothing, for ever, do not delay a healthy device."""
    monkeypatch.setattr(handshake_limiter, "STALL_TIMEOUT", 0.05)
    before = set(threading.enumerate())
    with ScriptedServer() as mute, kit.server(kit.answering(202, b"{}")) as peer:
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(kit.factory(mute.port).open(peer.target()).connect)

            for _ in range(10):
                await anyio.lowlevel.checkpoint()

            transport = opened(kit, peer)
            await transport.connect()
            await transport.exchange(Register())
            ended = [line for line in mute.lines if line.ended.is_set()]
            threads = set(threading.enumerate()) - before
            transport.close()
            tasks.cancel_scope.cancel()

    # The loop of trio has one of its own here, and anyio may.
    assert len([one for one in threads if not one.name.startswith(THREADS)]) <= 2
    assert not ended
