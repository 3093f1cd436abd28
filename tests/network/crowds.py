"""Crowds of devices that shake hands at once on virtual time, and the servers that they meet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
from tests.virtual_time import elapse

from aiodps.network.handshake_limiter import HandshakeLimiter, handshake_turn


async def settled() -> None:
    """Let all other tasks go as far as they can."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


def in_time(peer: Callable[[], Awaitable[None]]) -> Callable[[float], Awaitable[bool]]:
    """Wait for a peer as for a socket: until a time at most."""

    async def wait(until: float) -> bool:
        with anyio.move_on_at(until):
            await peer()
            return True

        return False

    return wait


class Model:
    """Handshakes with one endpoint: how many are under way, and when each was done."""

    def __init__(self, limiter: HandshakeLimiter | None = None) -> None:
        self.limiter = limiter or HandshakeLimiter(handshake_turn())
        self.under_way = 0
        self.most = 0
        self.done: list[float] = []

    async def handshake(self, peer: Callable[[], Awaitable[None]]) -> None:
        """Go through the limiter to a peer; what the peer does goes on while nobody waits."""
        async with self.limiter.slot() as slot, anyio.create_task_group() as tasks:
            answered = anyio.Event()

            async def answer() -> None:
                await peer()
                answered.set()

            self.under_way += 1
            self.most = max(self.most, self.under_way)
            tasks.start_soon(answer)
            try:
                await slot.wait(in_time(answered.wait))
            finally:
                self.under_way -= 1

            self.done.append(anyio.current_time())


class InOrder:
    """A server that needs a while for each handshake, one after the other."""

    def __init__(self, each: float) -> None:
        self.each = each
        self._turn = anyio.Lock()

    async def __call__(self) -> None:
        """Answer one."""
        async with self._turn:
            await elapse(self.each)


def after(seconds: float) -> Callable[[], Awaitable[None]]:
    """Make a peer that answers after a while, however many ask."""
    return lambda: elapse(seconds)


class SomeAtOnce:
    """A server that works on some handshakes at once, and on the others after that."""

    def __init__(self, at_once: int, each: float) -> None:
        self.each = each
        self._places = anyio.CapacityLimiter(at_once)

    async def __call__(self) -> None:
        """Answer one."""
        async with self._places:
            await elapse(self.each)


async def all_done(model: Model, count: int, peer: Callable[[], Awaitable[None]]) -> float:
    """Let a crowd shake hands at once; return the seconds until the last one is done."""
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(model.handshake, peer)

    assert len(model.done) == count
    return anyio.current_time() - began


async def say_nothing(limiter: HandshakeLimiter) -> None:
    """Shake hands with a server that is silent."""
    async with limiter.slot() as slot:
        await slot.wait(in_time(anyio.sleep_forever))
