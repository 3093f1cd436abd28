"""The transport `auto`: connections of several transports race, and the first that is ready wins.

Only one connection may speak at a time: two MQTT sessions of one device would take over each
other. So each waits for its turn once it is open, and the turn passes on only when the connection
that had it has failed and is closed. The winner keeps the turn, so that there is one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import anyio

from aiodps.errors import (
    BadRequestError,
    ConfigurationError,
    ConnectionLostError,
    CredentialError,
    ProvisioningError,
    ProxyError,
    TlsError,
    TransportError,
    UnauthorizedError,
)
from aiodps.models import Phase
from aiodps.observe import Reporter, StepKind
from aiodps.protocol.messages import Request, Response
from aiodps.transports.base import Target, Transport
from aiodps.transports.mqtt import MQTT
from aiodps.transports.rest import REST

AUTO = "auto"
"""The name of the transport."""
STAGGER = 0.3
"""Seconds before the next transport takes part. A connection opens in three round trips (TCP, TLS
1.2), so a network of up to 100 ms opens only one; and what is blocked costs no more than this."""
HEAD_START = 3.0
"""Seconds before others take part if the first one has won before, or once TCP has got through,
which is what firewalls block: five round trips of the slowest links. It is late because something
is busy, more likely than because it is blocked, and a crowd must not connect three times each."""

_DECISIVE = (CredentialError, UnauthorizedError, BadRequestError)
"""Errors that say something of the device: every other transport would end with the same."""
_PHASES = list(Phase)


@dataclass(frozen=True, slots=True)
class _Winner:
    name: str
    wins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Auto:
    """Settings of a race: which transports take part, in which order.

    One that cannot run here (MQTT on trio), or cannot do what is asked for (a TPM or a look-up
    over MQTT), takes no part. A value remembers which transport has won for an endpoint: it is
    the first to connect the next time.
    """

    transports: Sequence[REST | MQTT] = (MQTT(), MQTT(websocket=True), REST())
    """The transports, the most welcome first; each name once."""
    stagger: float = STAGGER
    """Seconds before the next one takes part; one that fails is followed at once."""
    _winners: dict[object, _Winner] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` if there are no transports, or two of the same name."""
        names = [each.name for each in self.transports]
        if not names or len({*names}) < len(names):
            raise ConfigurationError(
                f"the transports {', '.join(names) or '(none)'} cannot race",
                setting="transport",
                hint="give each transport once",
            )

    @property
    def name(self) -> str:
        """The name before it is known which transport has won."""
        return AUTO

    def open(self, target: Target) -> Transport:
        """Return a transport that is not connected yet.

        Raises:
            ConfigurationError: If none of the transports can be used for the target.
        """
        race = AutoTransport(self, target)
        if len(race.entrants) > 1:
            return race

        # Nothing to race against.
        settings = race.entrants[0].settings
        target.report.transport = settings.name
        return settings.open(target)

    def winner(self, target: Target) -> str | None:
        """Return the name of the transport that has won for an endpoint and has not failed."""
        winner = self._winners.get(_place(target))
        return None if winner is None else winner.name

    def wins(self, target: Target, name: str) -> int:
        """Return how many races in a row a transport has won for an endpoint."""
        winner = self._winners.get(_place(target))
        return winner.wins if winner is not None and winner.name == name else 0

    def remember(self, target: Target, name: str | None) -> None:
        """Keep the name of the winner; None if it has failed."""
        if name is None:
            self._winners.pop(_place(target), None)
        else:
            self._winners[_place(target)] = _Winner(name, self.wins(target, name) + 1)


def _place(target: Target) -> object:
    return target.endpoint, target.address, target.proxy


class AutoTransport:
    """The transports of one device; `transports.base.Transport` is the contract."""

    def __init__(self, settings: Auto, target: Target) -> None:
        self._settings = settings
        self._target = target
        self._race: Race | None = None
        self._winner: Entrant | None = None
        self.entrants: list[Entrant] = list(self._opened())

    def _opened(self) -> Iterator[Entrant]:
        refusals: list[ConfigurationError] = []
        for settings in self._settings.transports:
            report = dataclasses.replace(self._target.report, transport=settings.name)
            turn = partial(self._take_turn, settings.name)
            target = dataclasses.replace(self._target, report=report, turn=turn)
            try:
                yield Entrant(settings, report, settings.open(target))
            except ConfigurationError as error:
                refusals.append(error)

        if len(refusals) == len(self._settings.transports):
            raise refusals[0]

    async def _take_turn(self, name: str) -> None:
        if self._race is not None:
            await self._race.take_turn(name)

    async def connect(self) -> None:
        """Make sure that the winner is connected; if it fails, the next call is a new race."""
        if self._winner is None:
            await self._compete()
            return

        winner, report = self._winner, self._target.report
        try:
            await winner.transport.connect()
        except BaseException:
            self._winner = None
            self._settings.remember(self._target, None)
            raise
        finally:
            report.phase = winner.report.phase

    async def _compete(self) -> None:
        first = self._settings.winner(self._target)
        order = sorted(self.entrants, key=lambda each: each.name != first)
        self._race = race = Race(
            order,
            stagger=self._settings.stagger,
            head_start=HEAD_START if order[0].name == first else self._settings.stagger,
            wins=partial(self._settings.wins, self._target),
        )
        report = self._target.report
        report.transport = AUTO
        try:
            winner = await race.run()
            await self._close(but=winner)
        except BaseException:
            await self._close()
            raise
        finally:
            self._race = None
            report.phase = race.phase

        self._winner = winner
        self._settings.remember(self._target, winner.name)
        report.transport = winner.name
        report(StepKind.TRANSPORT_CHOSEN, report.phase, text=race.summary)

    async def exchange(self, request: Request) -> Response:
        """Send a request over the winner's connection, and return its response."""
        if self._winner is None:
            raise ConnectionLostError("no connection is open").locate(phase=Phase.SESSION)

        return await self._winner.transport.exchange(request)

    async def aclose(self) -> None:
        """Close the connection; the winner stays the winner until it fails to connect."""
        await self._close()

    async def _close(self, *, but: Entrant | None = None) -> None:
        for entrant in self.entrants:
            if entrant is not but:
                await entrant.transport.aclose()


@dataclass(slots=True, eq=False)
class Entrant:
    """A transport that takes part in races."""

    settings: REST | MQTT
    report: Reporter
    """Reports its steps under its own name, and knows how far it has come."""
    transport: Transport
    error: ProvisioningError | None = None
    """What has ended it in this race."""
    failed: anyio.Event = field(default_factory=anyio.Event)
    """Set with `error`."""

    @property
    def name(self) -> str:
        """The name of the transport."""
        return self.settings.name


class Race:
    """One race: who has the turn to speak, who has won, what has ended the others."""

    def __init__(
        self,
        order: Sequence[Entrant],
        *,
        stagger: float,
        head_start: float,
        wins: Callable[[str], int],
    ) -> None:
        """Prepare a race.

        Args:
            order: Who takes part, in the order of their starts; there is somebody.
            stagger: Seconds between two starts.
            head_start: Seconds between the first two.
            wins: Returns how often a transport has won; other devices may race at the same time.
        """
        self._order = order
        self._stagger = stagger
        self._head_start = head_start
        self._wins = wins
        self._turn = anyio.Semaphore(1)
        self._speaker: str | None = None
        self._started: list[Entrant] = []
        self._winner: Entrant | None = None
        self._fault: BaseException | None = None
        self._scope = anyio.CancelScope()

    @property
    def phase(self) -> Phase:
        """How far the winner has come, or whoever has come furthest."""
        runners = self._started if self._winner is None else [self._winner]
        return max((each.report.phase for each in runners), key=_PHASES.index)

    @property
    def summary(self) -> str:
        """Who has won, and what became of those that failed."""
        losers = [f"{each.name}: {each.error.message}" for each in self._started if each.error]
        return "; ".join([self._winner.name if self._winner else "none", *losers])

    async def run(self) -> Entrant:
        """Return the winner, whose transport is connected.

        Raises:
            ProvisioningError: If all have failed: what tells most, with the others in its message.
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
        """Wait until the connection of a transport may speak."""
        await self._turn.acquire()
        self._speaker = name

    async def _hold(self, entrant: Entrant) -> None:
        """Hold the next one back: longer once TCP has got through, and while this process is busy.

        It is while the last one waits for the handshake limiter, while somebody speaks, and while
        the connections of other devices win over the same transport.
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
        """Connect; whoever ends the race keeps the turn, so that nobody else speaks."""
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
        """Let the next one speak; the connection of this one is closed."""
        entrant.failed.set()
        if self._speaker == entrant.name:
            self._speaker = None
            self._turn.release()

    def _end(self, fault: BaseException) -> None:
        self._fault = fault
        self._scope.cancel()


def _failure(entrants: Sequence[Entrant]) -> ProvisioningError:
    """Return the error that tells most, with the others in its message."""
    errors = {each.name: each.error for each in entrants if each.error is not None}
    name, best = max(errors.items(), key=lambda each: _tells(each[1]))
    others = [f"{each}: {error.message}" for each, error in errors.items() if each != name]
    if {error.message for error in errors.values()} != {best.message}:
        best.message = "; ".join([f"{name}: {best.message}", *others])

    if isinstance(best, TransportError):
        best.persistent = all(getattr(error, "persistent", False) for error in errors.values())

    return best


def _tells(error: ProvisioningError) -> tuple[int, int]:
    """Return how much an error tells: what somebody said, more than silence; how far it came."""
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
