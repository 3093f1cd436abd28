"""The handshake limiter: how many connections may be opened at the same time.

A TLS handshake takes about a millisecond of CPU. If ten thousand devices start one at the same
time, all of them are slow; if thirty-two do, the rate is the same and each is fast. So a device
needs a slot to open its connection, and its time limits start when it gets one, not while it is
queued.

The rules:

1. Slots are for connections that make progress. A connection that has waited for its peer for
   250 ms, all its waits together, continues without its slot, so that peers that are silent or
   send byte by byte cannot block healthy devices.
2. But a busy peer is not a silent one: if every connection that waits so long continued without a
   slot, there would be no limit just when it is needed. So the stall timeout is four times what
   recent connections have waited, if that is more than 250 ms, up to 2.5 s.
3. If the network is slow, a connection spends most of its time waiting for it without using the
   CPU. So the capacity grows with the round trip time, the shortest of the recent ones. It is
   the kernel's: one measured here would grow with the load of this machine, and raise the
   capacity under load. Only Linux reports it; on other systems the capacity is constant.
4. Each event loop has a limiter of its own, because each has a thread of its own.
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
"""Connections that may be opened at the same time, over a local network."""
MAX_CAPACITY = 1024
"""The same over the slowest network."""
LOCAL_RTT = 0.01
"""Round trip time in seconds up to which the capacity is the default."""
STALL_TIMEOUT = 0.25
"""Seconds that a connection may wait for its peer before it has to release its slot."""
MAX_STALL_TIMEOUT = 2.5
"""The same when peers are busy."""
_RECENT = 32
"""Number of connections from which round trip time and stall timeout are derived."""
_TCP_INFO_RTT = slice(68, 72)
"""Position of the smoothed round trip time, in microseconds, in Linux's `struct tcp_info`."""


class Slot:
    """Permission to open one connection; released once, early or at the end."""

    def __init__(self, limiter: HandshakeLimiter) -> None:
        self._limiter = limiter
        self._held = True
        self.waited: float = 0.0
        """Seconds that the connection has waited for its peer so far."""

    async def wait(self, for_peer: Callable[[], Awaitable[None]]) -> None:
        """Wait for the peer, and release the slot when the stall timeout has passed."""
        began = anyio.current_time() - self.waited
        try:
            while self._held:
                # The timeout may have grown meanwhile: other connections show that peers are busy.
                with anyio.CancelScope(deadline=began + self._limiter.stall_timeout):
                    await for_peer()
                    return

                if anyio.current_time() >= began + self._limiter.stall_timeout:
                    self.release()

            await for_peer()
        finally:
            self.waited = anyio.current_time() - began

    def release(self) -> None:
        """Release the slot; may be called more than once."""
        if self._held:
            self._held = False
            self._limiter.release()


class HandshakeLimiter:
    """Limits the connections that are opened at the same time in one event loop."""

    def __init__(self) -> None:
        self._in_use = 0
        self._queue: deque[anyio.Event] = deque()
        self._round_trips: deque[float] = deque(maxlen=_RECENT)
        self._waits: deque[float] = deque(maxlen=_RECENT)

    @property
    def capacity(self) -> int:
        """Number of slots at present."""
        factor = min(self._round_trips, default=0.0) / LOCAL_RTT
        return max(DEFAULT_CAPACITY, min(MAX_CAPACITY, int(DEFAULT_CAPACITY * factor)))

    @property
    def stall_timeout(self) -> float:
        """Seconds that the holder of a slot may wait for its peer, at present."""
        usual = statistics.median(self._waits) if self._waits else 0.0
        return max(STALL_TIMEOUT, min(MAX_STALL_TIMEOUT, 4 * usual))

    @property
    def in_use(self) -> int:
        """Number of slots in use."""
        return self._in_use

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Wait for a slot; it is released at the end of the block at the latest."""
        await self._acquire()
        slot = Slot(self)
        try:
            yield slot
            self._waits.append(slot.waited)
        finally:
            slot.release()

    async def _acquire(self) -> None:
        if self._in_use < self.capacity and not self._queue:
            self._in_use += 1
            return

        turn = anyio.Event()
        self._queue.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.release()
            else:
                self._queue.remove(turn)

            raise

    def release(self) -> None:
        """Release one slot, and grant those that are free."""
        self._in_use -= 1
        self._grant()

    def _grant(self) -> None:
        capacity = self.capacity
        while self._queue and self._in_use < capacity:
            self._in_use += 1
            self._queue.popleft().set()

    def record_rtt(self, seconds: float) -> None:
        """Record a round trip time, from which the capacity is derived."""
        self._round_trips.append(seconds)
        self._grant()


def round_trip(sock: socket.socket) -> float:
    """Return a TCP socket's round trip time in seconds; 0 if the system does not report it."""
    if sys.platform != "linux":
        return 0.0

    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_RTT.stop)
    except OSError:  # not available in every sandbox
        return 0.0

    return int.from_bytes(info[_TCP_INFO_RTT], sys.byteorder) / 1e6


_limiter: RunVar[HandshakeLimiter] = RunVar("aiodps_handshake_limiter")


def current_limiter() -> HandshakeLimiter:
    """Return the limiter of the running event loop."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = HandshakeLimiter()
        _limiter.set(limiter)
        return limiter
