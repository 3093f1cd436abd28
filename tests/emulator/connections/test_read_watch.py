"""Waiting for what the peer sends: whole results, and no byte taken that nobody waits for."""

from __future__ import annotations

import contextlib
import gc
import socket
from collections.abc import AsyncIterator

import anyio
import pytest
from anyio.lowlevel import checkpoint

from aiodps.emulator.connections.read_watch import ReadWatch

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


class Pair:
    """A watched socket and its peer, and how often it was found to be readable."""

    def __init__(self, near: socket.socket, peer: socket.socket) -> None:
        self.near, self.peer = near, peer
        self.times = 0
        self.watch = ReadWatch(near, on_readable=self._note)

    def receive(self) -> bytes:
        """Receive three bytes, or raise that they are not there yet."""
        if len(self.near.recv(3, socket.MSG_PEEK)) < 3:
            self.near.recv(3)
            raise BlockingIOError

        return self.near.recv(3)

    def _note(self) -> None:
        self.times += 1


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Connect two sockets."""
    near, peer = socket.socketpair()
    near.setblocking(False)
    with near, peer:
        made = Pair(near, peer)
        yield made
        made.watch.stop()


async def turns() -> None:
    """Let the event loop do what there is to do."""
    for _ in range(5):
        await checkpoint()


async def test_it_tries_until_there_is_enough(pair: Pair) -> None:
    """Each time that something has arrived."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pair.watch.result_of, pair.receive)
        await turns()
        pair.peer.send(b"a")
        await turns()
        pair.peer.send(b"abc")

    assert pair.times == 2


async def test_errors_are_raised_to_who_waits(pair: Pair) -> None:
    """And not in the event loop."""
    pair.peer.send(b"abc")
    with pytest.raises(ZeroDivisionError):
        await pair.watch.result_of(lambda: 1 // 0)

    assert await pair.watch.result_of(pair.receive) == b"abc"


async def test_an_error_is_freed_at_once(pair: Pair) -> None:
    """With all that its traceback refers to, such as the connection that it ended."""

    class LostError(Exception):
        pass

    def fail() -> None:
        raise LostError

    pair.peer.send(b"abc")
    gc.disable()
    try:
        with contextlib.suppress(LostError):
            await pair.watch.result_of(fail)

        await turns()
        assert not any(isinstance(each, LostError) for each in gc.get_objects())
    finally:
        gc.enable()


async def test_nothing_is_taken_that_nobody_waits_for(pair: Pair) -> None:
    """The event loop has nothing to do meanwhile."""
    pair.peer.send(b"abcdef")
    assert await pair.watch.result_of(pair.receive) == b"abc"
    await turns()

    assert pair.times == 1
    assert await pair.watch.result_of(pair.receive) == b"def"


async def test_a_cancelled_wait_takes_nothing(pair: Pair) -> None:
    """What comes later is for the next one who waits."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pair.watch.result_of, pair.receive)
        await turns()
        tasks.cancel_scope.cancel()

    pair.peer.send(b"abc")
    assert await pair.watch.result_of(pair.receive) == b"abc"


async def test_others_may_watch_once_it_has_stopped(pair: Pair) -> None:
    """As who reads on until the peer has gone."""
    pair.peer.send(b"abcdef")
    await pair.watch.result_of(pair.receive)
    pair.watch.stop()
    await anyio.wait_readable(pair.near)

    assert pair.near.recv(9) == b"def"
