"""The gate: how many connections may be in the making at once.

A TLS handshake costs about a millisecond of CPU. Ten thousand devices that all shake hands at
once take turns at it until each of them is late; thirty-two at a time go through at the same
rate, and each is quick. So connections are made inside a gate with a limited number of places, and
a device's time limits start when it gets its place, not while it queues.

The rules:

1. A place is for connections that make progress. One that has heard nothing for 250 ms goes on
   without its place, so that silent peers cannot keep healthy devices waiting.
2. On a long way, a connection spends most of its time waiting for the network without being any
   trouble. The gate widens with the round trip, as the quickest of the recent TCP connects shows
   it: the slower ones tell more about this machine's load than about the way.
3. Each event loop has a gate of its own, since each has a thread of its own to be kept from
   drowning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.lowlevel import RunVar

PLACES = 32
"""Connections in the making at once, on a short way."""
MOST_PLACES = 1024
"""The same on the longest way."""
PATIENCE = 0.25
"""Seconds of silence after which a connection gives its place back."""
SHORT_WAY = 0.01
"""Seconds of round trip up to which the gate is not widened."""
_RECENT = 32
"""TCP connects that the round trip is judged by."""


class Place:
    """A place in the gate; given back once, early or at the end."""

    def __init__(self, gate: Gate) -> None:
        self._gate: Gate | None = gate

    def give_back(self) -> None:
        """Let the next one in; may be called more than once."""
        gate = self._gate
        if gate is not None:
            self._gate = None
            gate.leave()


class Gate:
    """Bounds the connections in the making, of one event loop."""

    def __init__(self) -> None:
        self._inside = 0
        self._queue: deque[anyio.Event] = deque()
        self._round_trips: deque[float] = deque(maxlen=_RECENT)

    @property
    def places(self) -> int:
        """How many may be inside now."""
        if not self._round_trips:
            return PLACES

        stretch = min(self._round_trips) / SHORT_WAY
        return max(PLACES, min(MOST_PLACES, int(PLACES * stretch)))

    @property
    def inside(self) -> int:
        """How many are inside now."""
        return self._inside

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Wait for a place, and give it back at the end at the latest."""
        await self._enter()
        place = Place(self)
        try:
            yield place
        finally:
            place.give_back()

    async def _enter(self) -> None:
        if self._inside < self.places and not self._queue:
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
        while self._queue and self._inside < self.places:
            self._inside += 1
            self._queue.popleft().set()

    def note_round_trip(self, seconds: float) -> None:
        """Take note of how long a TCP connect took."""
        self._round_trips.append(seconds)


_gate: RunVar[Gate] = RunVar("aiodps_gate")


def current_gate() -> Gate:
    """Return the gate of the running event loop."""
    try:
        return _gate.get()
    except LookupError:
        gate = Gate()
        _gate.set(gate)
        return gate
