"""What a door says, and what it writes down; that it is done is tested with the handshakes."""

from __future__ import annotations

import pytest
from tests import certificates
from tests.emulator.clients import device

from aiodps.emulator.faults.decide import Faults
from aiodps.emulator.faults.handshakes import Handshakes
from aiodps.emulator.faults.plan import Plan
from aiodps.emulator.journal import Exchange

RULES = """
[[rule]]
operation = "handshake"
first = 1
alert = 40
[[rule]]
operation = "handshake"
registration_id = "device-*"
alert = 48
"""


@pytest.fixture
def noted() -> list[Exchange]:
    """Hold what was noted."""
    return []


@pytest.fixture
def door(noted: list[Exchange]) -> Handshakes:
    """Make a door."""
    return Handshakes(faults=Faults(Plan.read(RULES)), note=noted.append, front="mqtt")


def test_everybody_counts_as_one_until_they_are_known(
    door: Handshakes, noted: list[Exchange]
) -> None:
    """The first connection is struck, whoever it is."""
    delivery = door.knock()

    assert delivery is not None
    assert delivery.alert == 40
    assert door.knock() is None
    assert [(each.front, each.fault) for each in noted] == [("mqtt", "rule 1")]


def test_names_come_from_certificates(door: Handshakes, noted: list[Exchange]) -> None:
    """From their CN; one without is nobody."""
    assert door.looks
    delivery = door.show(device().certificate)

    assert delivery is not None
    assert delivery.alert == 48
    assert door.show(certificates.without_name().certificate) is None
    assert door.show(certificates.long_name().certificate) is None
    assert [each.certificate for each in noted] == ["CN=device-1"]


def test_certificates_are_not_looked_at_without_need(noted: list[Exchange]) -> None:
    """Each look costs memory and time."""
    plan = Plan.read('[[rule]]\noperation = "handshake"\nalert = 40')

    assert not Handshakes(faults=Faults(plan), note=noted.append, front="mqtt").looks
