"""Handshake limiter: how many connections to one endpoint may be in the making at once.

Ten thousand devices that shake hands at once overrun themselves, and a server that is slower than
they are: each of them is late then. So a connection holds a slot from the start of TCP to the end
of TLS, and the time limits of both begin when it gets one.

The rules, each for one endpoint, so that no other endpoint is touched:

1. A connection that is stalled gives its slot back and goes on without. It is stalled if one that
   began a stall timeout later is done, or if none came through for a stall timeout. A server that
   is only busy answers in the order of arrival: nobody is overtaken, and somebody always comes
   through. So its slots are kept, and silent peers hold up nobody.
2. The stall timeout is what the last handshake has waited, if that is more than `STALL_TIMEOUT`.
   When none came through for that long, it begins anew: a memory of busy times would be patient
   with peers that are silent.
3. The capacity grows while all slots are taken and handshakes are as quick as the quickest: their
   time goes into the way. It shrinks when they are not: they wait for each other.

Besides, one step of a handshake is carried out in each turn of the event loop (`handshake_turn`),
so that the loop's other tasks never wait for more than one of them.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Hashable
from typing import Self
from weakref import WeakValueDictionary

import anyio
from anyio.lowlevel import RunVar, checkpoint

from aiodps.observe import event_loop_clock

LEAST_CAPACITY = 128
"""Slots to begin with. With 10 s for TLS, 13 handshakes a second is the slowest server that is not
overrun by them."""
MAX_CAPACITY = 1024
"""Slots at most: 500 handshakes a second of 2 s each."""
STALL_TIMEOUT = 0.25
"""Seconds. 512 silent peers a second are let go; less than that overruns slow servers."""
_SLOW = 2.0
"""How many times longer than the quickest handshake a slow one waits."""


class Slot:
    """One connection's slot, for `async with`; given back once, early or at the end."""

    def __init__(self, limiter: HandshakeLimiter) -> None:
        self.queued: bool = False
        """Whether the connection had to wait for it."""
        self.started: float = math.inf
        """When the connection got it."""
        self.waited: float = 0.0
        """Seconds the connection has waited for its peer so far."""
        self.held_back: float = 0.0
        """Seconds it has waited for turns of the event loop that other handshakes took."""
        self._limiter = limiter
        self.now: Callable[[], float] = limiter.now
        """The clock of the event loop."""
        self._held = True
        self._waiting = 0
        self._since = 0.0

    async def __aenter__(self) -> Self:
        """Wait for the slot, first come, first served."""
        await self._limiter.acquire(self)
        self.started = self.now()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Give it back, and learn from a handshake that is done."""
        if kind is None:
            self._limiter.learn(self)

        self.release()

    async def wait(
        self, for_peer: Callable[[], Awaitable[None]], *, limit: float = math.inf
    ) -> None:
        """Wait for the peer; without the slot from the moment at which the connection is stalled.

        Args:
            for_peer: Waits; is cancelled and called again now and then.
            limit: Seconds to wait at most.

        Raises:
            TimeoutError: If it takes longer.
        """
        now = self._begin_wait()
        end = now + limit
        try:
            while now < end:
                until = end
                if self._held and not self._limiter.is_stalled(self, now):
                    until = min(end, now + self._limiter.stall_timeout)
                else:
                    self.release()

                with anyio.move_on_at(until):
                    await for_peer()
                    return

                now = self.now()

            raise TimeoutError
        finally:
            self._end_wait()

    def turn(self) -> Turn:
        """Return a turn of the event loop, for `async with`."""
        return Turn(self, self._limiter.turn)

    def release(self) -> None:
        """Let the next one in; may be called more than once."""
        if self._held:
            self._held = False
            self._limiter.release(self)

    def _begin_wait(self) -> float:
        now = self.now()
        # Two addresses that are tried at once wait together.
        if not self._waiting:
            self._since = now

        self._waiting += 1
        return now

    def _end_wait(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            self.waited += self.now() - self._since


class Turn:
    """A turn of the event loop in which no other step of a handshake is taken."""

    def __init__(self, slot: Slot, lock: anyio.Lock) -> None:
        self._slot = slot
        self._lock = lock

    async def __aenter__(self) -> None:
        """Wait for it, and count the time for which others had it."""
        if self._lock.locked():
            began = self._slot.now()
            await self._lock.acquire()
            self._slot.held_back += self._slot.now() - began
            return

        self._lock.acquire_nowait()
        try:
            await checkpoint()  # the step of another may have been taken in this one
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Let the next one have its turn."""
        self._lock.release()


class HandshakeLimiter:
    """Bounds the connections in the making to one endpoint, of one event loop."""

    def __init__(self, *, unlimited: bool = False) -> None:
        self.now: Callable[[], float] = event_loop_clock()
        """The clock of the event loop."""
        self.turn: anyio.Lock = handshake_turn()
        """See `handshake_turn`."""
        self._slots = anyio.CapacityLimiter(math.inf if unlimited else LEAST_CAPACITY)
        self._last_done = -math.inf
        self._newest_done = -math.inf
        self._quickest = math.inf
        self.stall_timeout: float = STALL_TIMEOUT
        """Seconds without news after which a connection counts as stalled."""

    @property
    def capacity(self) -> float:
        """Slots that there are now."""
        return self._slots.total_tokens

    @property
    def in_use(self) -> int:
        """Slots that are held now."""
        return self._slots.borrowed_tokens

    def slot(self) -> Slot:
        """Return a slot, for `async with`."""
        return Slot(self)

    async def acquire(self, slot: Slot) -> None:
        """Wait until a slot is free."""
        try:
            # First without waiting: anyio before 4.16 loses a free token that asyncio cancels.
            self._slots.acquire_on_behalf_of_nowait(slot)
        except anyio.WouldBlock:
            slot.queued = True
            await self._slots.acquire_on_behalf_of(slot)

    def release(self, slot: Slot) -> None:
        """Take a slot back."""
        self._slots.release_on_behalf_of(slot)

    def is_stalled(self, slot: Slot, now: float) -> bool:
        """Tell whether a connection was overtaken, or nobody comes through (rules 1 and 2)."""
        silence = now - max(slot.started, self._last_done)
        if silence >= self.stall_timeout:
            self.stall_timeout = STALL_TIMEOUT
            return True

        return self._newest_done - slot.started >= self.stall_timeout

    def learn(self, slot: Slot) -> None:
        """Take a handshake that is done into account (rules 2 and 3)."""
        self._last_done = self.now()
        self._newest_done = max(self._newest_done, slot.started)
        self._quickest = min(self._quickest, slot.waited)
        self.stall_timeout = max(STALL_TIMEOUT, slot.waited)
        if slot.waited > _SLOW * self._quickest:
            self._resize(-1)
        elif self.in_use >= self.capacity:
            self._resize(+1)

    def _resize(self, change: int) -> None:
        if self.capacity < math.inf:
            self._slots.total_tokens = max(
                LEAST_CAPACITY, min(MAX_CAPACITY, self.capacity + change)
            )


class _EventLoop:
    """What the handshakes of one event loop share."""

    def __init__(self) -> None:
        self.limiters = WeakValueDictionary[tuple[str, int, Hashable], HandshakeLimiter]()
        self.turn = anyio.Lock()
        self.unlimited = False


_event_loop: RunVar[_EventLoop] = RunVar("aiodps_handshakes")


def _of_this_loop() -> _EventLoop:
    try:
        return _event_loop.get()
    except LookupError:
        shared = _EventLoop()
        _event_loop.set(shared)
        return shared


def limiter_for(host: str, port: int, via: Hashable = None) -> HandshakeLimiter:
    """Return the running event loop's limiter for an endpoint; it is forgotten when unused.

    `via` is the proxy on the way, which has times of its own; None for none.
    """
    shared, key = _of_this_loop(), (host, port, via)
    limiter = shared.limiters.get(key)
    if limiter is None:
        limiter = shared.limiters[key] = HandshakeLimiter(unlimited=shared.unlimited)

    return limiter


def handshake_turn() -> anyio.Lock:
    """Return the lock to hold while a step of a handshake is carried out on this event loop."""
    return _of_this_loop().turn


def lift_handshake_limit() -> None:
    """Let connections of the running event loop begin whenever they are asked for, in any number.

    For load generators: what the service makes of the arrivals is what they measure. Limiters in
    use stay as they are.
    """
    _of_this_loop().unlimited = True
