"""What the emulator has seen: one record for each request, and how many there were."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from aiodps.emulator.protocol.messages import Operation

MAX_COUNTED_IDS: Final = 100_000
LONGEST_COUNTED_ID: Final = 128
"""Registration ids that are counted one by one, so that hostile clients cannot fill the memory."""
UNANSWERED: Final = 0
"""Status of what got no answer."""
LONGEST_TEXT: Final = 500
"""Characters of a text in a journal."""
_TEXTS = ("what", "registration_id", "certificate", "key_name", "message")
KEPT: Final = 10_000
"""Exchanges that a journal keeps; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer; also a connection that did not come about. Holds no secret."""

    transport: str
    """`https`, `mqtt` or `mqtt-ws`."""
    what: str
    """The operation, in words; for what is no operation, the request as it came."""
    status_code: int
    """`UNANSWERED` if nothing was answered."""
    took: float
    """Seconds, without what a fault adds."""
    time: float = field(default_factory=time.time)
    """When it was answered; seconds since 1970."""
    operation: Operation | None = None
    """None if it was none of the device API's."""
    registration_id: str | None = None
    certificate: str | None = None
    """Subject of the client's certificate; None if it showed none."""
    thumbprint: str | None = None
    """SHA-256 of that certificate, in upper-case hex."""
    key_name: str | None = None
    """`skn` of the client's shared access signature, "" if that has none; None without one."""
    error_code: int | None = None
    """The service's `errorCode`; None if there is none."""
    message: str | None = None
    """Why it was refused."""
    fault: str | None = None
    """The rules of the fault plan that struck; None if nothing went wrong on purpose."""


ExchangeListener: TypeAlias = Callable[[Exchange], None]


def _nothing() -> None:
    """Forget nothing: there is nothing to forget."""


class RequestLog:
    """The last exchanges, and whoever listens for the next ones.

    Iterating gives the exchanges, the oldest first. May be read from another thread.
    """

    def __init__(self, *, kept: int = KEPT) -> None:
        self._numbers = itertools.count(1)
        self._entries: deque[tuple[int, Exchange]] = deque(maxlen=kept)
        self._listeners: list[ExchangeListener] = []
        self._forgetful: list[Callable[[], None]] = []

    def __iter__(self) -> Iterator[Exchange]:
        return (exchange for _, exchange in self.after(0))

    def __len__(self) -> int:
        return len(self._entries)

    def note(self, exchange: Exchange) -> None:
        """Take down an exchange, long texts cut, and tell it to those who listen."""
        exchange = _cut(exchange)
        self._entries.append((next(self._numbers), exchange))
        for listener in tuple(self._listeners):
            listener(exchange)

    def after(self, number: int) -> list[tuple[int, Exchange]]:
        """Return exchanges with their numbers, which count up from 1 and are never used twice.

        Args:
            number: The last one that the caller knows; 0 for everything that is kept.
        """
        return [entry for entry in list(self._entries) if entry[0] > number]

    def clear(self) -> None:
        """Forget everything, and have those who listen forget; the numbers go on."""
        self._entries.clear()
        for forget in tuple(self._forgetful):
            forget()

    @contextmanager
    def listen(
        self, note: ExchangeListener, *, forget: Callable[[], None] = _nothing
    ) -> Iterator[None]:
        """Be told of each exchange, before it is answered, for as long as the block lasts.

        Args:
            note: Must neither block nor raise.
            forget: Called when the journal is cleared.
        """
        self._listeners.append(note)
        self._forgetful.append(forget)
        try:
            yield
        finally:
            self._listeners.remove(note)
            self._forgetful.remove(forget)


def _cut(exchange: Exchange) -> Exchange:
    """Cut what hostile clients make long, such as the subject of a certificate."""
    texts = {name: getattr(exchange, name) for name in _TEXTS}
    long = {
        name: text[:LONGEST_TEXT] for name, text in texts.items() if len(text or "") > LONGEST_TEXT
    }
    return replace(exchange, **long) if long else exchange


@dataclass(slots=True)
class Counts:
    """How many requests of each kind came, whatever the answer was."""

    registers: Counter[str] = field(default_factory=Counter)
    """By registration id; the service bills each."""
    operations: Counter[Operation] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    """By status code, of all requests that got one."""

    def note(self, exchange: Exchange) -> None:
        """Count a request."""
        if exchange.status_code != UNANSWERED:
            self.answers[exchange.status_code] += 1

        if exchange.operation is None:
            return

        self.operations[exchange.operation] += 1
        name = exchange.registration_id
        if exchange.operation is not Operation.REGISTER or name is None:
            return

        known = name in self.registers
        if known or (len(self.registers) < MAX_COUNTED_IDS and len(name) <= LONGEST_COUNTED_ID):
            self.registers[name] += 1

    def clear(self) -> None:
        """Begin to count anew."""
        self.registers.clear()
        self.operations.clear()
        self.answers.clear()
