"""The request log: one entry for each request, and counts of them."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final, TypeAlias

from aiodps.emulator.protocol.messages import Operation

MAX_COUNTED_IDS: Final = 100_000
MAX_ID_LENGTH: Final = 128
"""Longest registration id that is counted; hostile clients must not fill the memory."""
NO_STATUS: Final = 0
"""Status of a request without a response."""
MAX_TEXT_LENGTH: Final = 500
"""Characters of a string in the request log."""
_TEXTS = ("what", "registration_id", "certificate", "key_name", "message")
_texts = attrgetter(*_TEXTS)
MAX_ENTRIES: Final = 10_000
"""Entries that the request log keeps; the oldest are dropped first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and its response, or a failed handshake. Holds no secret."""

    transport: str
    """`https`, `mqtt` or `mqtt-ws`."""
    what: str
    """The operation, in words; for anything else, the request itself."""
    status_code: int = NO_STATUS
    """`NO_STATUS` if there was no response."""
    took: float = 0.0
    """Seconds, without what a fault adds."""
    time: float = field(default_factory=time.time)
    """Time of the response; seconds since 1970."""
    operation: Operation | None = None
    """None for anything but the device API."""
    registration_id: str | None = None
    certificate: str | None = None
    """Subject of the client's certificate; None if it presented none."""
    thumbprint: str | None = None
    """SHA-256 of that certificate, in upper-case hex."""
    key_name: str | None = None
    """`skn` of the client's shared access signature, "" if that has none; None without one."""
    error_code: int | None = None
    """The service's `errorCode`; None if there is none."""
    message: str | None = None
    """Why it was refused, or how the registration ended if not assigned; else None."""
    fault: str | None = None
    """The fault rules that applied; None if none did."""


ExchangeListener: TypeAlias = Callable[[Exchange], None]


class RequestLog:
    """The latest exchanges, and listeners for the next ones.

    Iterates over the exchanges, oldest first. May be read from another thread.
    """

    def __init__(self, *, size: int = MAX_ENTRIES) -> None:
        self.size: int = size
        """Entries that it keeps."""
        self._numbers = itertools.count(1)
        self._entries: deque[tuple[int, Exchange]] = deque(maxlen=size)
        self._listeners: list[ExchangeListener] = []
        self._on_clear: list[Callable[[], None]] = []

    def __iter__(self) -> Iterator[Exchange]:
        return (exchange for _, exchange in self.after(0))

    def __len__(self) -> int:
        return len(self._entries)

    def record(self, exchange: Exchange) -> None:
        """Append an exchange, long strings cut, and call the listeners."""
        exchange = _cut(exchange)
        self._entries.append((next(self._numbers), exchange))
        for listener in tuple(self._listeners):
            listener(exchange)

    def after(self, number: int) -> list[tuple[int, Exchange]]:
        """Return exchanges with their numbers, which count up from 1 and are never used twice.

        Args:
            number: Exchanges up to this one are left out; 0 for all.
        """
        return [entry for entry in list(self._entries) if entry[0] > number]

    def clear(self) -> None:
        """Drop all entries; the numbers go on."""
        self._entries.clear()
        for forget in tuple(self._on_clear):
            forget()

    @contextmanager
    def listen(
        self, on_exchange: ExchangeListener, *, on_clear: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Listen to exchanges, before the responses are sent, for the duration of the block.

        Args:
            on_exchange: Must neither block nor raise.
            on_clear: Called when the log is cleared.
        """
        self._listeners.append(on_exchange)
        self._on_clear.append(on_clear)
        try:
            yield
        finally:
            self._listeners.remove(on_exchange)
            self._on_clear.remove(on_clear)


def _cut(exchange: Exchange) -> Exchange:
    """Cut long strings of hostile clients, such as the subject of a certificate."""
    texts = _texts(exchange)
    if len("".join(filter(None, texts))) <= MAX_TEXT_LENGTH:
        return exchange  # as nearly always

    cut = (text and text[:MAX_TEXT_LENGTH] for text in texts)
    return replace(exchange, **dict(zip(_TEXTS, cut, strict=True)))


@dataclass(slots=True)
class Counts:
    """Numbers of requests and responses."""

    register_requests: Counter[str] = field(default_factory=Counter)
    """By registration id; the service bills each."""
    operations: Counter[Operation] = field(default_factory=Counter)
    responses: Counter[int] = field(default_factory=Counter)
    """By status code."""

    def record(self, exchange: Exchange) -> None:
        """Count an exchange."""
        if exchange.status_code != NO_STATUS:
            self.responses[exchange.status_code] += 1

        if exchange.operation is None:
            return

        self.operations[exchange.operation] += 1
        name = exchange.registration_id
        if exchange.operation is not Operation.REGISTER or name is None:
            return

        known = name in self.register_requests
        if known or (len(self.register_requests) < MAX_COUNTED_IDS and len(name) <= MAX_ID_LENGTH):
            self.register_requests[name] += 1

    def clear(self) -> None:
        """Reset all counts."""
        self.register_requests.clear()
        self.operations.clear()
        self.responses.clear()
