"""The transport `auto`: connections of several transports race; the first that is ready wins."""

from __future__ import annotations

import dataclasses
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiodps.errors import ConfigurationError, ConnectionLostError
from aiodps.models import Phase
from aiodps.network.event_loop import sleep_until
from aiodps.observe import StepKind
from aiodps.protocol.messages import Request, Response
from aiodps.transports.base import AUTO, Target, Transport
from aiodps.transports.mqtt import MQTT
from aiodps.transports.race import Entrant, Race
from aiodps.transports.rest import REST

STAGGER = 0.3
"""Seconds before the next transport starts. A connection opens in three round trips (TCP, TLS
1.2), so only one is opened at up to 100 ms each; a blocked transport costs no more than this."""


@dataclass(frozen=True, slots=True)
class _Winner:
    name: str
    wins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Auto:
    """Settings of a race: which transports take part, in which order.

    One that cannot run here (aiomqtt on trio), or cannot do what is asked for (a TPM or a look-up
    over MQTT), takes no part. A value remembers which transport has won for an endpoint: it is
    the first to connect the next time.
    """

    transports: Sequence[REST | MQTT] = (MQTT(), MQTT(websocket=True), REST())
    """The transports in order of preference; each name once."""
    stagger: float = STAGGER
    """Seconds before the next one starts; if one fails, the next starts at once."""
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
            known=order[0].name == first,
            wins=partial(self._settings.wins, self._target),
        )
        report = self._target.report
        report.transport = AUTO
        try:
            winner = await race.run()
            self._close(but=winner)
        except BaseException:
            self._close()
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

    def wait_until(self, when: float) -> Coroutine[Any, Any, None]:
        """Wait, and keep the winner's connection alive meanwhile."""
        winner = self._winner
        return (sleep_until if winner is None else winner.transport.wait_until)(when)

    def close(self) -> None:
        """Close the connection; the winner stays the winner until it fails to connect."""
        self._close()

    def _close(self, *, but: Entrant | None = None) -> None:
        for entrant in self.entrants:
            if entrant is not but:
                entrant.transport.close()
