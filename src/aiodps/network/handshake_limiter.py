"""Handshake limiter: limits how many connections to one endpoint are opened concurrently.

Ten thousand devices that connect at once overload this process, and a server that is slower than
it is: then all of them are late. So a connection holds a slot from the start of TCP to the end of
TLS, and the time limits of both begin when it gets one.

The rules, which apply to each endpoint by itself:

1. A stalled connection gives its slot back and continues without one. It is stalled if one that
   began a stall timeout later has completed, or if none has completed for a stall timeout. A busy
   server answers in the order of arrival: no connection is overtaken, and there is always one that
   completes. So the slots of a busy server are kept, and silent peers block no others.
2. The stall timeout is how long the last completed handshake has waited, and at least
   `STALL_TIMEOUT`. If none has completed for that long, it is reset to `STALL_TIMEOUT`: what was
   learned from a busy server is too long for silent peers.
3. The capacity grows while all slots are taken and handshakes are about as fast as the fastest
   one: what they take is the latency of the network. It shrinks when they are slower: then they
   wait for each other.

In addition, one step of a handshake is carried out in each turn of the event loop
(`handshake_turn`), so that the loop's other tasks never wait for more than one of them.
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
"""Initial number of slots. With 10 s for TLS, a server must complete 13 handshakes a second not to
be overloaded by them."""
MAX_CAPACITY = 1024
"""Maximum number of slots: enough for 500 handshakes a second of 2 s each."""
STALL_TIMEOUT = 0.25
"""Seconds. So 512 silent peers a second give their slots back; less overloads slow servers."""
_SLOW = 2.0
"""A handshake is slow if it waits this many times as long as the fastest."""


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
        """Give it back, and learn from a completed handshake."""
        if kind is None:
            self._limiter.learn(self)

        self.release()

    async def wait(
        self, for_peer: Callable[[float], Awaitable[bool]], *, limit: float = math.inf
    ) -> None:
        """Wait for the peer; the slot is given back as soon as the connection is stalled.

        Args:
            for_peer: Waits until a time at most, and returns whether the peer was ready by then;
                may be called again.
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

                if await for_peer(until):
                    return

                now = self.now()

            raise TimeoutError
        finally:
            self._end_wait()

    def turn(self) -> Turn:
        """Return a turn of the event loop, for `async with`."""
        return Turn(self, self._limiter.turn)

    def release(self) -> None:
        """Give the slot back; may be called more than once."""
        if self._held:
            self._held = False
            self._limiter.release(self)

    def _begin_wait(self) -> float:
        now = self.now()
        # Two addresses that are tried at once wait at the same time.
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
    """Limits the connections that one event loop opens to one endpoint at a time."""

    def __init__(self, turn: anyio.Lock, *, unlimited: bool = False) -> None:
        self.now: Callable[[], float] = event_loop_clock()
        """The clock of the event loop."""
        self.turn: anyio.Lock = turn
        """See `handshake_turn`."""
        self._slots = anyio.CapacityLimiter(math.inf if unlimited else LEAST_CAPACITY)
        self._last_done = -math.inf
        self._newest_done = -math.inf
        self._quickest = math.inf
        self.stall_timeout: float = STALL_TIMEOUT
        """Seconds without a completed handshake after which a connection is stalled."""

    @property
    def capacity(self) -> float:
        """Current number of slots."""
        return self._slots.total_tokens

    @property
    def in_use(self) -> int:
        """Number of slots in use."""
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
        """Return whether a connection was overtaken, or none completes (rules 1 and 2)."""
        silence = now - max(slot.started, self._last_done)
        if silence >= self.stall_timeout:
            self.stall_timeout = STALL_TIMEOUT
            return True

        return self._newest_done - slot.started >= self.stall_timeout

    def learn(self, slot: Slot) -> None:
        """Take a completed handshake into account (rules 2 and 3)."""
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

    `via` is the proxy, which has latencies of its own; None for none.
    """
    shared, key = _of_this_loop(), (host, port, via)
    limiter = shared.limiters.get(key)
    if limiter is None:
        limiter = HandshakeLimiter(shared.turn, unlimited=shared.unlimited)
        shared.limiters[key] = limiter

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
