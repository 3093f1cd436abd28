"""What a door says, and what it writes down; that it is done is tested with the handshakes."""

from __future__ import annotations

from aiodps.emulator.dispatch.handshakes import Handshakes
from aiodps.emulator.faults.injector import FaultInjector
from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.request_log.log import Exchange


def test_everybody_counts_as_one() -> None:
    """The first connection is struck, whoever it is; that and a failure are written down."""
    noted: list[Exchange] = []
    plan = Plan.read('[[rule]]\noperation = "handshake"\nfirst = 1\nalert = 40')
    door = Handshakes(faults=FaultInjector(plan), on_exchange=noted.append, transport="mqtt")

    delivery = door.on_accept()
    door.on_failure("no shared cipher")

    assert delivery is not None
    assert delivery.alert == 40
    assert door.on_accept() is None
    assert [(each.transport, each.what, each.fault, each.message) for each in noted] == [
        ("mqtt", "TLS handshake", "rule 1", None),
        ("mqtt", "TLS handshake", None, "no shared cipher"),
    ]
