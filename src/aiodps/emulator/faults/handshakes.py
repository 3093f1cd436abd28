"""Faults of connections that begin, and the journal of those that come to nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass

from cryptography import x509

from aiodps.credential_files import UNREADABLE
from aiodps.emulator.faults.answers import delivery
from aiodps.emulator.faults.decide import Fault, Faults
from aiodps.emulator.faults.effects import Point
from aiodps.emulator.journal import Exchange, Note
from aiodps.emulator.service.x509_rules import subject, thumbprint
from aiodps.emulator.wire import Delivery
from aiodps.pki.credential import common_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshakes:
    """Decides about the connections of one port: a `Door` of its listener."""

    faults: Faults
    note: Note
    front: str
    """What the port is called in the journal and in the plan."""

    @property
    def looks(self) -> bool:
        """Whether certificates matter to the plan."""
        return self.faults.may_strike(Point.CERTIFICATE)

    def knock(self) -> Delivery | None:
        """Say what happens to a connection before anything is read."""
        fault = self.faults.strike(Point.HANDSHAKE, registration_id=None, transport=self.front)
        return self._noted(fault, None)

    def show(self, certificate: x509.Certificate) -> Delivery | None:
        """Say what happens in the middle of the handshake to who shows this certificate."""
        try:
            name = common_name(certificate)
        except UNREADABLE:
            return None

        fault = self.faults.strike(Point.CERTIFICATE, registration_id=name, transport=self.front)
        return self._noted(fault, certificate)

    def fail(self, reason: str) -> None:
        """Take down a handshake that failed without our doing."""
        self.note(_exchange(self.front, message=reason))

    def _noted(self, fault: Fault | None, certificate: x509.Certificate | None) -> Delivery | None:
        if fault is None:
            return None

        self.note(_exchange(self.front, fault=fault.rules, certificate=certificate))
        return delivery(fault, now=time.time())


def _exchange(
    front: str,
    *,
    message: str | None = None,
    fault: str | None = None,
    certificate: x509.Certificate | None = None,
) -> Exchange:
    return Exchange(
        front=front,
        what="TLS handshake",
        status_code=0,
        took=0.0,
        message=message,
        fault=fault,
        certificate=None if certificate is None else subject(certificate),
        thumbprint=None if certificate is None else thumbprint(certificate),
    )
