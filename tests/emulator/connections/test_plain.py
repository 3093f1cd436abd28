"""A port without TLS: bytes as they come, and an end that loses none of them."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest
from anyio.abc import ByteStream
from tests.emulated import PATIENCE

from aiodps.emulator.connections import plain
from aiodps.emulator.connections.connection_limit import ConnectionLimit
from aiodps.emulator.connections.listener import Frontend, Listener
from aiodps.emulator.connections.stream import PeerLostError, Stream

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
MUCH = bytes(3_000_000)
ON_WITHOUT_TIME = struct.pack("ii", 1, 0)
"""What makes a close a reset."""


@asynccontextmanager
async def connected(transport: Frontend) -> AsyncIterator[ByteStream]:
    """Serve a port without TLS, and connect to it."""
    listener = Listener.bind("127.0.0.1", 0, setting="port")
    try:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(
                    partial(listener.serve, connection_limit=ConnectionLimit()), transport, tasks
                )
                async with await anyio.connect_tcp("127.0.0.1", listener.port) as stream:
                    yield stream

                tasks.cancel_scope.cancel()
    finally:
        listener.close()


async def _read(stream: ByteStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await stream.receive()

    return data


async def test_more_than_a_chunk_goes_through_both_ways() -> None:
    """Also when the peer is slow to read; nobody is asked for a certificate."""

    async def echo(stream: Stream) -> None:
        assert stream.certificates == ()
        while data := await stream.receive():
            await stream.send(data)

    async with connected(echo) as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(stream.send, MUCH)

        assert await _read(stream, len(MUCH)) == MUCH


async def test_the_last_answer_is_read_although_more_was_sent() -> None:
    """A connection closed with unread bytes would be reset, answer and all."""

    async def refuse(stream: Stream) -> None:
        await stream.receive()
        await stream.send(b"too much")
        await stream.linger()

    async with connected(refuse) as stream:
        await stream.send(bytes(500_000))

        assert await _read(stream, 8) == b"too much"
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()


async def test_lingering_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that neither reads nor closes is left."""
    monkeypatch.setattr(plain, "LINGER_SECONDS", 0.05)
    left = anyio.Event()

    async def linger(stream: Stream) -> None:
        try:
            await stream.linger()
        finally:
            left.set()

    async with connected(linger):
        await left.wait()


async def test_a_reset_is_told_as_a_lost_peer() -> None:
    """While reading and while writing."""
    lost: list[str] = []
    both = anyio.Event()

    async def talk(stream: Stream) -> None:
        for attempt in (stream.receive, partial(stream.send, MUCH)):
            try:
                await attempt()
            except PeerLostError as exc:
                lost.append(str(exc))

        both.set()

    async with connected(talk) as stream:
        sock = stream.extra(anyio.abc.SocketAttribute.raw_socket)  # noqa: S610 (no Django here)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ON_WITHOUT_TIME)
        await stream.aclose()
        await both.wait()

    assert lost == ["the peer has gone"] * 2
