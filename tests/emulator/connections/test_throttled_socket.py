"""Connections over a slow line, from the first byte of TLS to the last one of the answer."""

from __future__ import annotations

import socket

import anyio
import pytest
from tests.emulated import SCOPE, device, running
from tests.emulator.connections.test_handshake import LOST, rule
from tests.scripted_client import client_context, connect, http
from tests.virtual_time import virtual_time

from aiodps.emulator.connections.delivery import Delivery, Drip
from aiodps.emulator.connections.throttled_socket import throttled

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
PATH = f"/{SCOPE}/registrations/device-1/register?api-version=2019-03-31"


@virtual_time
async def test_bytes_come_one_after_the_other() -> None:
    """So many at a time, so many seconds between; what the peer says comes as fast as ever."""
    peer, sock = socket.socketpair()
    peer.setblocking(False)
    sock.setblocking(False)
    came: list[tuple[float, bytes]] = []
    async with anyio.create_task_group() as tasks:
        with peer, sock, throttled(sock, Delivery(drip=Drip(size=3, every=10)), tasks) as line:
            began = anyio.current_time()
            line.send(b"12345678")
            peer.send(b"question")
            await anyio.wait_readable(line)
            assert (anyio.current_time(), line.recv(100)) == (began, b"question")

            for _ in range(3):
                await anyio.wait_readable(peer)
                came.append((anyio.current_time() - began, peer.recv(100)))

    assert came == [(0, b"123"), (pytest.approx(10), b"456"), (pytest.approx(20), b"78")]


async def test_a_slow_line_is_slow_and_nothing_else() -> None:
    """Handshake and answers arrive whole, and the connection ends as always."""
    slow = rule("drip = { bytes = 1, every = 0 }")
    async with running(**slow) as dps, http(dps, device()) as client:
        for _ in range(2):
            assert (await client.ask("PUT", PATH, b"{}")).status == 202


async def test_the_end_of_a_connection_gets_through() -> None:
    """With the last answer before it."""
    slow = rule("drip = { bytes = 300, every = 0 }")
    async with running(**slow) as dps, http(dps, device()) as client:
        headers = ["Connection: close"]
        assert (await client.ask("PUT", PATH, b"{}", headers)).status == 202
        with pytest.raises(anyio.EndOfStream):
            await client.stream.receive()


async def test_half_a_handshake() -> None:
    """And then the end."""
    async with running(**rule('first = 1\ntruncate = "message"')) as dps:
        with pytest.raises(LOST):
            await connect(dps.https_port, client_context(dps))

        async with http(dps, device()) as client:
            assert (await client.ask("PUT", PATH, b"{}")).status == 202
