"""A race between connections of several transports, of which only one may speak at a time.

Two MQTT sessions of one device would take over each other. So each connection waits for its turn
once it is open, and the turn passes to the next one only when the connection that had it has
failed and is closed. The winner keeps the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from aiodps.errors import (
    BadRequestError,
    CredentialError,
    ProvisioningError,
    ProxyError,
    TlsError,
    TransportError,
    UnauthorizedError,
)
from aiodps.models import Phase
from aiodps.observe import Reporter
from aiodps.transports.base import Transport
from aiodps.transports.mqtt import MQTT
from aiodps.transports.rest import REST

HEAD_START = 3.0
"""Seconds before others start if the first one has won before, or once its TCP connection is open,
which is what firewalls block: five round trips of the slowest links. A late connection is more
likely delayed by load than blocked, and a fleet must not connect three times for each device."""

_DECISIVE = (CredentialError, UnauthorizedError, BadRequestError)
"""Errors that are about the device: every other transport would end with the same."""
_PHASES = list(Phase)


@dataclass(slots=True, eq=False)
class Entrant:
    """A transport that takes part in races."""

    settings: REST | MQTT
    report: Reporter
    """Reports its steps under its own name, and has its current phase."""
    transport: Transport
    error: ProvisioningError | None = None
    """The error that has ended it in this race; None if there is none."""
    failed: anyio.Event = field(default_factory=anyio.Event)
    """Set with `error`."""

    @property
    def name(self) -> str:
        """The name of the transport."""
        return self.settings.name


class Race:
    """One race: which transport has the turn, which one has won, and the errors of the others."""

    def __init__(
        self,
        order: Sequence[Entrant],
        *,
        stagger: float,
        known: bool,
        wins: Callable[[str], int],
    ) -> None:
        """Prepare a race.

        Args:
            order: The transports, in the order in which they start; at least one.
            stagger: Seconds between two starts.
            known: Whether the first one has won before.
            wins: Returns how often a transport has won; other devices may race at the same time.
        """
        self._order = order
        self._stagger = stagger
        self._head_start = HEAD_START if known else stagger
        self._wins = wins
        self._turn = anyio.Semaphore(1)
        self._speaker: str | None = None
        self._started: list[Entrant] = []
        self._winner: Entrant | None = None
        self._fault: BaseException | None = None
        self._scope = anyio.CancelScope()

    @property
    def phase(self) -> Phase:
        """The phase of the winner, or the latest one of any transport."""
        runners = self._started if self._winner is None else [self._winner]
        return max((each.report.phase for each in runners), key=_PHASES.index)

    @property
    def summary(self) -> str:
        """The name of the winner, and the errors of those that failed."""
        losers = [f"{each.name}: {each.error.message}" for each in self._started if each.error]
        return "; ".join([self._winner.name if self._winner else "none", *losers])

    async def run(self) -> Entrant:
        """Return the winner, whose transport is connected.

        Raises:
            ProvisioningError: If all have failed: the most specific error, with the others in its
                message.
        """
        async with anyio.create_task_group() as tasks:
            self._scope = tasks.cancel_scope
            for entrant in self._order:
                entrant.error, entrant.failed = None, anyio.Event()
                self._started.append(entrant)
                tasks.start_soon(self._enter, entrant)
                await self._hold(entrant)

        if self._fault is not None:
            raise self._fault

        if self._winner is None:
            raise _failure(self._started)

        return self._winner

    async def take_turn(self, name: str) -> None:
        """Wait until the connection of a transport may send DPS requests."""
        await self._turn.acquire()
        self._speaker = name

    async def _hold(self, entrant: Entrant) -> None:
        """Delay the next transport: longer once TCP is open, and while this process is busy.

        It is busy while the last transport waits for the handshake limiter, while a connection has
        the turn, and while other devices win their races over the same transport.
        """
        delay = self._head_start if entrant is self._order[0] else self._stagger
        while True:
            wins = self._wins(entrant.name)
            with anyio.move_on_after(delay):
                await entrant.failed.wait()
                return

            through = _PHASES.index(entrant.report.phase) >= _PHASES.index(Phase.TLS)
            if through and delay < HEAD_START:
                delay = HEAD_START
            elif (
                entrant.report.phase is not Phase.QUEUE
                and self._speaker is None
                and self._wins(entrant.name) <= wins
            ):
                return

    async def _enter(self, entrant: Entrant) -> None:
        """Connect; the transport that ends the race keeps the turn, so that no other gets it."""
        try:
            await entrant.transport.connect()
        except ProvisioningError as error:
            entrant.error = error
            if isinstance(error, _DECISIVE):
                self._end(error)
            else:
                self._pass_on(entrant)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as exc:  # noqa: BLE001 (raised by `run`, not as a group)
            self._end(exc)
        else:
            self._winner = entrant
            self._scope.cancel()

    def _pass_on(self, entrant: Entrant) -> None:
        """Pass the turn to the next transport; the connection of this one is closed."""
        entrant.failed.set()
        if self._speaker == entrant.name:
            self._speaker = None
            self._turn.release()

    def _end(self, fault: BaseException) -> None:
        self._fault = fault
        self._scope.cancel()


def _failure(entrants: Sequence[Entrant]) -> ProvisioningError:
    """Return the most specific error, with the others in its message."""
    errors = {each.name: each.error for each in entrants if each.error is not None}
    name, best = max(errors.items(), key=lambda each: _tells(each[1]))
    others = [f"{each}: {error.message}" for each, error in errors.items() if each != name]
    if {error.message for error in errors.values()} != {best.message}:
        best.message = "; ".join([f"{name}: {best.message}", *others])

    if isinstance(best, TransportError):
        best.persistent = all(getattr(error, "persistent", False) for error in errors.values())

    return best


def _tells(error: ProvisioningError) -> tuple[int, int]:
    """Return how specific an error is: a response more than silence, then by its phase."""
    match error:
        case ProxyError(reason="forbidden"):
            kind = 0  # of this port alone; whatever else has failed may pass
        case TransportError():
            kind = 1
        case TlsError():
            kind = 3
        case _:
            kind = 2

    return kind, _PHASES.index(error.phase)
