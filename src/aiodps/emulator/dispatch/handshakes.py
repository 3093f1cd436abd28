"""Faults of TLS handshakes, and the log entries of handshakes that fail."""

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
    """The `HandshakeHook` of one port."""

    faults: FaultInjector
    on_exchange: ExchangeListener
    transport: str
    """The port's name in the request log and in fault rules."""

    def on_accept(self) -> Delivery | None:
        """Draw a fault for a new connection."""
        fault = self.faults.draw(Point.HANDSHAKE, registration_id=None, transport=self.transport)
        if fault is None:
            return None

        self._log(fault=fault.rules)
        return delivery(fault, now=time.time())

    def on_failure(self, reason: str) -> None:
        """Log a handshake that failed without a fault."""
        self._log(message=reason)

    def _log(self, *, message: str | None = None, fault: str | None = None) -> None:
        self.on_exchange(
            Exchange(
                transport=self.transport,
                what="TLS handshake",
                message=message,
                fault=fault,
            )
        )
