"""What the emulator has seen: one record for each request, and how many there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from aiodps.emulator.wire import Operation

MAX_COUNTED_IDS: Final = 100_000
LONGEST_COUNTED_ID: Final = 128
"""Registration ids that are counted one by one, so that hostile clients cannot fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer."""

    front: str
    """`https`, `mqtt`, or `mqtt-ws` for MQTT over WebSocket."""
    what: str
    """The operation, in words; for what is no operation, the request as it came."""
    status_code: int
    """0 if nothing was answered."""
    took: float
    """Seconds."""
    operation: Operation | None = None
    """None if it was none of the device API's."""
    registration_id: str | None = None
    certificate: str | None = None
    """Subject of the client's certificate; None if it showed none."""
    message: str | None = None
    """Why it was refused."""
    fault: str | None = None
    """The rules of the fault plan that struck; None if nothing went wrong on purpose."""


Note: TypeAlias = Callable[[Exchange], None]


@dataclass(slots=True)
class Counts:
    """How many requests of each kind came, whatever the answer was."""

    registers: Counter[str] = field(default_factory=Counter)
    """By registration id; the service bills each."""
    operations: Counter[Operation] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    """By status code, of all requests."""

    def note(self, exchange: Exchange) -> None:
        """Count a request."""
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
