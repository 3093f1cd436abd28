"""Faults of connections that begin, and the journal of those that come to nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

from aiodps.emulator.connections.delivery import Delivery
from aiodps.emulator.faults.apply import delivery
from aiodps.emulator.faults.effects import Point
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.request_log.log import Exchange, ExchangeListener


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshakes:
    """Decides about the connections of one port: a `Door` of its listener."""

    faults: FaultInjector
    note: ExchangeListener
    transport: str
    """What the port is called in the journal and in the plan."""

    def knock(self) -> Delivery | None:
        """Say what happens to a connection before anything is read."""
        fault = self.faults.draw(Point.HANDSHAKE, registration_id=None, transport=self.transport)
        if fault is None:
            return None

        self._note(fault=fault.rules)
        return delivery(fault, now=time.time())

    def fail(self, reason: str) -> None:
        """Take down a handshake that failed without our doing."""
        self._note(message=reason)

    def _note(self, *, message: str | None = None, fault: str | None = None) -> None:
        self.note(
            Exchange(
                transport=self.transport,
                what="TLS handshake",
                status_code=0,
                took=0.0,
                message=message,
                fault=fault,
            )
        )
