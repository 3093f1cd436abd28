"""The latest requests, all of them and by device, with updates for open pages."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import anyio

from aiodps.emulator.request_log.log import Exchange

DEVICES_KEPT: Final = 2000
"""Most devices that are kept; the least recently active one is dropped first."""
STEPS_KEPT: Final = 12
"""Requests kept for each device."""
REQUESTS_KEPT: Final = 200
"""Requests kept in all."""
MAX_UPDATES: Final = 50
"""Devices in one update of an open page: more cannot be read during a load test."""
UPDATE_INTERVAL: Final = 0.2
"""Seconds between two updates of an open page."""


@dataclass(frozen=True, slots=True)
class Step:
    """A numbered request."""

    number: int
    """Counts up from 1."""
    exchange: Exchange


class Feed:
    """Updates for one open page: ids of devices with new requests, "" for other clients."""

    def __init__(self) -> None:
        self._changed: OrderedDict[str, None] = OrderedDict()
        self._update = anyio.Event()

    def notify(self, name: str) -> None:
        """Add a device to the next update."""
        self._changed[name] = None
        self._changed.move_to_end(name)
        if len(self._changed) > MAX_UPDATES:
            self._changed.popitem(last=False)

        self._update.set()

    async def next(self) -> list[str]:
        """Wait for the next update; return its ids, the oldest change first."""
        await self._update.wait()
        await anyio.sleep(UPDATE_INTERVAL)
        changed = list(self._changed)
        self._changed.clear()
        self._update = anyio.Event()
        return changed


class RecentRequests:
    """The latest requests."""

    def __init__(self) -> None:
        self.requests: deque[Step] = deque(maxlen=REQUESTS_KEPT)
        """All of them, oldest first."""
        self._devices: OrderedDict[str, deque[Step]] = OrderedDict()
        self._feeds: set[Feed] = set()
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        """Count the devices."""
        return len(self._devices)

    @property
    def last_number(self) -> int:
        """Number of the latest request; 0 before the first."""
        return self.requests[-1].number if self.requests else 0

    def record(self, exchange: Exchange) -> None:
        """Add a request."""
        step = Step(next(self._numbers), exchange)
        self.requests.append(step)
        name = ""
        if exchange.registration_id is not None and exchange.operation is not None:
            name = exchange.registration_id.lower()
            self._record_device(name, step)

        for feed in self._feeds:
            feed.notify(name)

    def devices(self) -> Iterator[str]:
        """Iterate over the ids of devices, the one with the latest request first."""
        return reversed(self._devices)

    def steps(self, registration_id: str) -> list[Step]:
        """Return a device's latest requests, newest first."""
        return list(reversed(self._devices.get(registration_id.lower(), ())))

    def clear(self) -> None:
        """Drop all requests."""
        self.requests.clear()
        self._devices.clear()

    @contextmanager
    def feed(self) -> Iterator[Feed]:
        """Subscribe to updates for the duration of the block."""
        feed = Feed()
        self._feeds.add(feed)
        try:
            yield feed
        finally:
            self._feeds.discard(feed)

    def _record_device(self, name: str, step: Step) -> None:
        steps = self._devices.setdefault(name, deque(maxlen=STEPS_KEPT))
        steps.append(step)
        self._devices.move_to_end(name)
        if len(self._devices) > DEVICES_KEPT:
            self._devices.popitem(last=False)
