"""Connections through a proxy: every fault of the handshake, cancellation, and nothing left."""

from __future__ import annotations

import functools
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from tests.certificates import certify, root
from tests.leftovers import descriptors
from tests.scripted.proxies import KINDS, USER, Kind
from tests.scripted.server import HOST, LIMIT, Line, ScriptedServer, silent, steps
from tests.scripted.tls import serving
from tests.transports.traces import cancelled_at

from aiodps.errors import (
    ConnectError,
    ConnectionLostError,
    DnsError,
    ProvisioningError,
    ProxyError,
    ServerIdentityError,
    TransportTimeoutError,
)
from aiodps.models import Phase
from aiodps.network import handshake_limiter, tunnel
from aiodps.network.dial import dial
from aiodps.network.endpoint import Endpoint
from aiodps.network.proxy import Proxy
from aiodps.observe import Step, StepKind

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
NAME = "dps.example.test"
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def through(peer: ScriptedServer, kind: Kind, *, endpoint: str = HOST, **more: Any) -> Endpoint:
    """Return an endpoint that is reached through a scripted proxy."""
    return peer.target(endpoint=endpoint, proxy=kind.proxy(peer.port), **more).at_port(443)


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List the names that this machine looks up: none of a service behind a proxy."""
    names: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        if host != HOST:
            names.append(host)

        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


@functools.cache
def named() -> Any:
    """Make the certificate of a service with a name."""
    return certify("server", issuer=root(), names=[NAME])


# A tunnel


@each_kind
async def test_a_connection_through_a_proxy(kind: Kind, looked_up: list[str]) -> None:
    """TLS is with the service, whose name the proxy is told and this machine does not look up."""
    told: list[Step] = []
    script = kind.before(steps(Line.read, b"there", Line.drain), tls=serving(named()))
    with ScriptedServer(script) as peer:
        connection = await dial(through(peer, kind, endpoint=NAME, observer=told.append))
        await connection.send(b"hello")
        answer = await connection.receive()
        connection.close()

    assert answer == b"there"
    assert peer.lines[0].received == b"hello"
    assert looked_up == []
    assert [(step.kind, step.phase) for step in told] == [
        (StepKind.CONNECTED, Phase.TCP),
        (StepKind.TUNNEL_OPENED, Phase.PROXY),
        (StepKind.SECURED, Phase.TLS),
    ]
    assert USER not in repr(told)


@each_kind
async def test_the_service_behind_a_proxy_is_verified(kind: Kind) -> None:
    """A proxy cannot pretend to be the service."""
    with ScriptedServer(kind.before(silent)) as peer, pytest.raises(ServerIdentityError):
        await dial(through(peer, kind, endpoint=NAME))

    assert peer.lines[0].received == b""


async def test_an_address_takes_the_place_of_the_name(looked_up: list[str]) -> None:
    """It is connected to; the certificate is that of the endpoint."""
    with ScriptedServer(tls=serving(named())) as peer:
        endpoint = peer.target(endpoint=NAME, address=HOST).at_port(peer.port)
        (await dial(endpoint)).close()

    assert peer.lines[0].secured
    assert looked_up == []


async def test_a_proxy_is_asked_for_the_address() -> None:
    """If there are both."""
    asked = []

    def script(line: Line) -> None:
        asked.extend(KINDS[0].opening(line))
        line.secure(serving(named()))

    with ScriptedServer(script) as peer:
        endpoint = through(peer, KINDS[0], endpoint=NAME, address="10.1.2.3")
        (await dial(endpoint)).close()

    assert asked[0].startswith(b"CONNECT 10.1.2.3:443 ")


async def test_a_proxy_has_its_own_limiter() -> None:
    """How long the way takes is another thing through each proxy."""
    ways = (None, KINDS[0].proxy(1), KINDS[0].proxy(2))
    limiters = [handshake_limiter.limiter_for("a", 1, via=way) for way in ways]

    assert len({id(each) for each in limiters}) == 3
    assert handshake_limiter.limiter_for("a", 1, via=KINDS[0].proxy(1)) is limiters[1]


# Faults

Fault = Callable[[Line, bytes], object]


def garbage(line: Line, _: bytes) -> None:
    """Send what is of no protocol."""
    line.send(b"\xff" * 64 + b"\r\n\r\n")
    line.drain()


def end(line: Line, _: bytes) -> None:
    """Close in order."""
    line.end()
    line.drain()


def cut(line: Line, usual: bytes) -> None:
    """Send all but the last byte, then close."""
    line.send(usual[:-1])
    line.end()
    line.drain()


def surplus(line: Line, usual: bytes) -> None:
    """Send a byte more, at once."""
    line.send(usual + b"x")
    line.drain()


FAULTS: dict[str, tuple[Fault, type[ProvisioningError]]] = {
    "reset": (lambda line, _: line.reset(), ConnectionLostError),
    "end": (end, ConnectionLostError),
    "cut": (cut, ConnectionLostError),
    "garbage": (garbage, ProxyError),
    "surplus": (surplus, ProxyError),
    "silence": (lambda line, _: line.drain(), TransportTimeoutError),
}


def slots_taken() -> int:
    """Count the slots that are taken on this event loop, at whatever endpoint."""
    return sum(each.in_use for each in handshake_limiter._of_this_loop().limiters.values())


@on_asyncio
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        pytest.param(kind, at, id=f"{kind}-{at}")
        for kind in KINDS
        for at in range(len(kind.stages))
    ],
)
async def test_each_fault_at_each_stage(
    kind: Kind, stage: int, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as what it is, in its phase; the socket is closed and the slot given back."""
    monkeypatch.setattr(tunnel, "PROXY_TIMEOUT", 0.05 if fault == "silence" else LIMIT)
    before = descriptors()
    strike, error = FAULTS[fault]

    def script(line: Line) -> None:
        for each in kind.stages[:stage]:
            each.take(line)
            line.send(each.answer)

        kind.stages[stage].take(line)
        strike(line, kind.stages[stage].answer)

    with ScriptedServer(script) as peer, pytest.raises(ProvisioningError) as caught:
        await dial(through(peer, kind))

    assert type(caught.value) is error
    assert caught.value.phase is Phase.PROXY
    assert caught.value.hint
    assert slots_taken() == 0
    assert not descriptors() - before


@each_kind
async def test_bytes_that_arrive_one_by_one(kind: Kind) -> None:
    """Each in a segment of its own; they open the tunnel all the same."""

    def script(line: Line) -> None:
        for stage in kind.stages:
            stage.take(line)
            for byte in stage.answer:
                line.send(bytes([byte]))

        line.secure(serving())

    with ScriptedServer(script) as peer:
        (await dial(through(peer, kind))).close()

    assert peer.lines[0].secured


@each_kind
async def test_cancelled_at_every_await(kind: Kind) -> None:
    """No socket, no reader, no slot; the proxy sees every connection end."""
    before = descriptors()
    with ScriptedServer(kind.before(silent)) as peer:

        async def work() -> None:
            (await dial(through(peer, kind))).close()

        await work()
        awaits = 0
        while await cancelled_at(awaits, work):
            awaits += 1

    assert awaits > 1
    assert slots_taken() == 0
    assert not descriptors() - before


async def test_whoever_cancels_it_knows_how_far_it_came() -> None:
    """The reporter has the phase."""
    asked = threading.Event()

    def script(line: Line) -> None:
        KINDS[0].stages[0].take(line)
        asked.set()
        line.drain()

    with ScriptedServer(script) as peer:
        endpoint = through(peer, KINDS[0])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(dial, endpoint)
            while not asked.is_set():
                await anyio.lowlevel.checkpoint()

            reached = endpoint.report.phase
            tasks.cancel_scope.cancel()

    assert reached is Phase.PROXY


# Proxies that are not reached


async def test_a_proxy_that_refuses_connections() -> None:
    """The error names it, and not the service."""
    with socket.socket() as nobody:
        nobody.bind((HOST, 0))
        proxy = Proxy(scheme="http", host=HOST, port=nobody.getsockname()[1])
        with ScriptedServer() as peer, pytest.raises(ConnectError) as caught:
            await dial(peer.target(proxy=proxy).at_port(peer.port))

    assert str(proxy) in caught.value.hint
    assert caught.value.phase is Phase.TCP
    assert peer.lines == []


async def test_a_proxy_whose_name_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is looked up here."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, os.strerror(2))

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    proxy = Proxy(scheme="socks5", host="proxy.example.test", port=1080)
    with ScriptedServer() as peer, pytest.raises(DnsError) as caught:
        await dial(peer.target(proxy=proxy).at_port(peer.port))

    assert "proxy.example.test" in caught.value.message
    assert str(proxy) in caught.value.hint
    assert caught.value.phase is Phase.DNS
