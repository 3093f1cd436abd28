"""The gate: how many connections may be in the making at once.

A TLS handshake costs about a millisecond of CPU. Ten thousand devices that all shake hands at
once take turns at it until each of them is late; thirty-two at a time go through at the same
rate, and each is quick. So connections are made inside a gate with a limited number of places, and
a device's time limits start when it gets its place, not while it queues.

The rules:

1. A place is for connections that make progress. One that has waited for its peer for 250 ms, all
   its waits together, goes on without its place, so that silent peers and peers that drip cannot
   keep healthy devices waiting.
2. But a peer that is only busy is no silent peer: if everybody who waited that long went on
   without a place, the gate would be open just when it is needed. So the 250 ms become four times
   what the connections that were made lately have waited, if that is more, up to 2.5 s.
3. On a long way, a connection spends most of its time waiting for the network without being any
   trouble. The gate widens with the round trip, the shortest of the recent ones. It is the
   kernel's figure: one taken by the clock would grow with this machine's own load, and widen the
   gate under load. Systems other than Linux do not tell, and there it does not widen.
4. Each event loop has a gate of its own, since each has a thread of its own to be kept from
   drowning.
"""

from __future__ import annotations

import socket
import statistics
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.lowlevel import RunVar

DEFAULT_CAPACITY = 32
"""Connections in the making at once, on a short way."""
MAX_CAPACITY = 1024
"""The same on the longest way."""
LOCAL_RTT = 0.01
"""Seconds of round trip up to which the gate is not widened."""
STALL_TIMEOUT = 0.25
"""Seconds a connection may wait for its peer before it gives its place back."""
MAX_STALL_TIMEOUT = 2.5
"""The same when peers are busy."""
_RECENT = 32
"""Connections that round trip and patience are judged by."""
_TCP_INFO_RTT = slice(68, 72)
"""Where Linux's `struct tcp_info` has the smoothed round trip, in microseconds."""


class Slot:
    """A place in the gate, for one connection; given back once, early or at the end."""

    def __init__(self, limiter: HandshakeLimiter) -> None:
        self._limiter = limiter
        self._held = True
        self.waited: float = 0.0
        """Seconds the connection has waited for its peer so far."""

    async def wait(self, for_peer: Callable[[], Awaitable[None]]) -> None:
        """Wait for the peer; without the place as soon as patience has come to an end."""
        began = anyio.current_time() - self.waited
        try:
            while self._held:
                # Others may have shown in the meantime that peers are only busy.
                with anyio.CancelScope(deadline=began + self._limiter.stall_timeout):
                    await for_peer()
                    return

                if anyio.current_time() >= began + self._limiter.stall_timeout:
                    self.give_back()

            await for_peer()
        finally:
            self.waited = anyio.current_time() - began

    def give_back(self) -> None:
        """Let the next one in; may be called more than once."""
        if self._held:
            self._held = False
            self._limiter.leave()


class HandshakeLimiter:
    """Bounds the connections in the making, of one event loop."""

    def __init__(self) -> None:
        self._inside = 0
        self._queue: deque[anyio.Event] = deque()
        self._round_trips: deque[float] = deque(maxlen=_RECENT)
        self._waits: deque[float] = deque(maxlen=_RECENT)

    @property
    def capacity(self) -> int:
        """How many may be inside now."""
        stretch = min(self._round_trips, default=0.0) / LOCAL_RTT
        return max(DEFAULT_CAPACITY, min(MAX_CAPACITY, int(DEFAULT_CAPACITY * stretch)))

    @property
    def stall_timeout(self) -> float:
        """Seconds that one inside may wait for its peer now."""
        usual = statistics.median(self._waits) if self._waits else 0.0
        return max(STALL_TIMEOUT, min(MAX_STALL_TIMEOUT, 4 * usual))

    @property
    def inside(self) -> int:
        """How many are inside now."""
        return self._inside

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Wait for a place, and give it back at the end at the latest."""
        await self._enter()
        slot = Slot(self)
        try:
            yield slot
            self._waits.append(slot.waited)
        finally:
            slot.give_back()

    async def _enter(self) -> None:
        if self._inside < self.capacity and not self._queue:
            self._inside += 1
            return

        turn = anyio.Event()
        self._queue.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.leave()
            else:
                self._queue.remove(turn)

            raise

    def leave(self) -> None:
        """Give one place back and let as many in as there are places."""
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        capacity = self.capacity
        while self._queue and self._inside < capacity:
            self._inside += 1
            self._queue.popleft().set()

    def record_rtt(self, seconds: float) -> None:
        """Take note of how long the way to a peer is."""
        self._round_trips.append(seconds)
        self._admit()


def round_trip(sock: socket.socket) -> float:
    """Return the round trip to a TCP socket's peer in seconds; 0 if the system does not tell."""
    if sys.platform != "linux":
        return 0.0

    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_RTT.stop)
    except OSError:  # not every sandbox has it
        return 0.0

    return int.from_bytes(info[_TCP_INFO_RTT], sys.byteorder) / 1e6


_limiter: RunVar[HandshakeLimiter] = RunVar("aiodps_gate")


def current_limiter() -> HandshakeLimiter:
    """Return the gate of the running event loop."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = HandshakeLimiter()
        _limiter.set(limiter)
        return limiter
