"""The long link holds back what it is given, and keeps its order."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tests.virtual_time import on_virtual_asyncio

link = pytest.importorskip("benchmarks.link", reason="not in a source distribution")


@pytest.mark.anyio
@on_virtual_asyncio
async def test_half_of_the_round_trip_each_way() -> None:
    """The end, too; and the first bytes of a client for one more round trip."""
    loop = asyncio.get_running_loop()
    (client, near), (far, server) = socket.socketpair(), socket.socketpair()
    _, here = await loop.create_connection(lambda: link.Held(0.05), sock=near)
    _, there = await loop.create_connection(lambda: link.Held(0.05), sock=far)
    here.hold_until(loop.time() + 0.15)
    there.other = here
    from_client, to_client = await asyncio.open_connection(sock=client)
    from_server, to_server = await asyncio.open_connection(sock=server)

    def reach() -> None:
        here.other = there
        here.release()

    to_client.write(b"1")
    loop.call_later(0.2, reach)
    assert await from_server.read(10) == b"1"  # which was due earlier, but had nowhere to go
    assert loop.time() == pytest.approx(0.2)

    to_server.write(b"2")
    assert await from_client.read(10) == b"2"
    assert loop.time() == pytest.approx(0.25)

    to_client.close()
    assert await from_server.read() == b""
    assert loop.time() == pytest.approx(0.3)
    to_server.close()
    assert await from_client.read() == b""
