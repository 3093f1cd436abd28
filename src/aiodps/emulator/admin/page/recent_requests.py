"""What devices did lately, kept for people to look at, and told to pages that are open."""

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
"""Devices whose steps are kept; the one that was silent longest is forgotten first."""
STEPS_KEPT: Final = 12
"""Steps kept for each device."""
REQUESTS_KEPT: Final = 200
"""Requests kept, of every kind."""
TOLD_AT_ONCE: Final = 50
"""Devices told to an open page in one go: nobody can read more, and load tests go on."""
BREATH: Final = 0.2
"""Seconds in which news is gathered before it is told."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request as it is shown."""

    number: int
    """Counts up from 1."""
    exchange: Exchange


class Feed:
    """News for one open page: names of devices that did something, each once; "" for the rest."""

    def __init__(self) -> None:
        self._changed: OrderedDict[str, None] = OrderedDict()
        self._news = anyio.Event()

    def tell(self, name: str) -> None:
        """Note that something changed."""
        self._changed[name] = None
        self._changed.move_to_end(name)
        if len(self._changed) > TOLD_AT_ONCE:
            self._changed.popitem(last=False)

        self._news.set()

    async def next(self) -> list[str]:
        """Wait for news; return what changed, the oldest change first."""
        await self._news.wait()
        await anyio.sleep(BREATH)
        changed = list(self._changed)
        self._changed.clear()
        self._news = anyio.Event()
        return changed


class Traffic:
    """The last requests, all of them and by device."""

    def __init__(self) -> None:
        self.requests: deque[Step] = deque(maxlen=REQUESTS_KEPT)
        """Of every kind, the oldest first."""
        self._devices: OrderedDict[str, deque[Step]] = OrderedDict()
        self._feeds: set[Feed] = set()
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        """Count the devices that are remembered."""
        return len(self._devices)

    @property
    def last_number(self) -> int:
        """Number of the last request; 0 before the first."""
        return self.requests[-1].number if self.requests else 0

    def note(self, exchange: Exchange) -> None:
        """Remember a request."""
        step = Step(next(self._numbers), exchange)
        self.requests.append(step)
        name = ""
        if exchange.registration_id is not None and exchange.operation is not None:
            name = exchange.registration_id.lower()
            self._note_device(name, step)

        for feed in self._feeds:
            feed.tell(name)

    def devices(self) -> Iterator[str]:
        """Name the devices, the one that asked last first."""
        return reversed(self._devices)

    def steps(self, registration_id: str) -> list[Step]:
        """Return a device's last steps, the newest first."""
        return list(reversed(self._devices.get(registration_id.lower(), ())))

    def forget(self) -> None:
        """Forget everything."""
        self.requests.clear()
        self._devices.clear()

    @contextmanager
    def feed(self) -> Iterator[Feed]:
        """Be told of what happens, for as long as the block lasts."""
        feed = Feed()
        self._feeds.add(feed)
        try:
            yield feed
        finally:
            self._feeds.discard(feed)

    def _note_device(self, name: str, step: Step) -> None:
        steps = self._devices.setdefault(name, deque(maxlen=STEPS_KEPT))
        steps.append(step)
        self._devices.move_to_end(name)
        if len(self._devices) > DEVICES_KEPT:
            self._devices.popitem(last=False)
