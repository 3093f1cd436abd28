"""A slow connection below TLS: a socket pair whose bytes are relayed at a limited rate."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

import anyio
from anyio.abc import TaskGroup

from aiodps.emulator.connections.delivery import Delivery, Drip
from aiodps.emulator.connections.plain import CHUNK

SEND_SECONDS: Final = 60.0
"""Seconds in which a peer must accept some bytes."""
_FAST = Drip(size=CHUNK, every=0.0)


def throttled(sock: socket.socket, delivery: Delivery, tasks: TaskGroup) -> socket.socket:
    """Throttle a connection.

    Args:
        sock: To the peer; the caller closes it.
        delivery: The rate of sending, and whether only half of the first bytes is sent.
        tasks: For the task that relays, until the last byte is sent.

    Returns:
        A socket to use in place of the connection.
    """
    near, far = socket.socketpair()
    for end in (near, far):
        end.setblocking(False)

    tasks.start_soon(_relay, sock.dup(), far, delivery)
    return near


async def _relay(peer: socket.socket, far: socket.socket, delivery: Delivery) -> None:
    with peer, far:
        async with anyio.create_task_group() as both:
            both.start_soon(_relay_received, peer, far)
            await _relay_sent(far, peer, delivery)
            both.cancel_scope.cancel()


async def _relay_received(peer: socket.socket, far: socket.socket) -> None:
    """Relay what the peer sends, at full speed."""
    with suppress(OSError):
        while data := await _receive(peer):
            await _send(far, data)

    with suppress(OSError):
        far.shutdown(socket.SHUT_WR)


async def _relay_sent(far: socket.socket, peer: socket.socket, delivery: Delivery) -> None:
    """Relay what is sent to the peer, throttled."""
    drip = delivery.drip or _FAST
    with suppress(OSError), anyio.CancelScope() as peer_timeout:
        while data := await _receive(far):
            if delivery.truncate is not None:
                await _send(peer, data[: len(data) // 2])
                return

            for begin in range(0, len(data), drip.size):
                peer_timeout.deadline = anyio.current_time() + SEND_SECONDS + drip.every
                await _send(peer, data[begin : begin + drip.size])
                await anyio.sleep(drip.every)

            peer_timeout.deadline = float("inf")


async def _receive(sock: socket.socket) -> bytes:
    await anyio.wait_readable(sock)
    return sock.recv(CHUNK)


async def _send(sock: socket.socket, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            await anyio.wait_writable(sock)
