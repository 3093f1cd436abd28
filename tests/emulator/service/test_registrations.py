"""Registration records: operations begin, end by themselves, and are forgotten in time."""

from __future__ import annotations

import random

from aiodps.emulator.service.registrations import KEPT_OPERATIONS, Outcome, Registrations
from aiodps.models import RegistrationStatus, Substatus

ASSIGNED = Outcome(status=RegistrationStatus.ASSIGNED, device_id="d", assigned_hub="h")
FAILED = Outcome(status=RegistrationStatus.FAILED, error_code=401001, error_message="no hub")


def registrations(assign_after: float = 2.0) -> Registrations:
    """Make an empty book of records."""
    chance = random.Random(5)  # noqa: S311 (no secrets here)
    return Registrations(assign_after=assign_after, chance=chance)


def test_an_operation_is_found_in_any_casing() -> None:
    """By the device's id and its own."""
    book = registrations()
    operation = book.begin("Device-1", ASSIGNED, now=10.0)

    assert book.find("dEVICE-1", operation.operation_id) is operation
    assert book.latest("DEVICE-1") is operation
    assert operation.finished == 12.0


def test_nothing_is_found_that_never_was() -> None:
    """Neither a device nor an operation."""
    book = registrations()
    book.begin("device-1", ASSIGNED, now=10.0)

    assert book.find("device-1", "5.x.y") is None
    assert book.find("device-2", "5.x.y") is None
    assert book.latest("device-2") is None


def test_memory_is_bounded() -> None:
    """Of a device that registers for ever, the last few operations are kept."""
    book = registrations()
    operations = [book.begin("device-1", ASSIGNED, now=float(n)) for n in range(1000)]
    found = [each for each in operations if book.find("device-1", each.operation_id)]

    assert found == operations[-KEPT_OPERATIONS:]


def test_the_first_assignment_is_the_initial_one() -> None:
    """What failed before does not count, and what is not finished does not either."""
    book = registrations(assign_after=2.0)
    outcomes = [(FAILED, 0.0), (ASSIGNED, 10.0), (ASSIGNED, 11.0), (ASSIGNED, 12.0)]
    operations = [book.begin("device-1", outcome, now=now) for outcome, now in outcomes]

    assert [each.substatus for each in operations[1:]] == [
        Substatus.INITIAL_ASSIGNMENT,
        Substatus.INITIAL_ASSIGNMENT,
        Substatus.REPROVISIONED_TO_INITIAL_ASSIGNMENT,
    ]
    assert {each.created for each in operations} == {0.0}


def test_ids_are_of_the_device_and_different() -> None:
    """As on the wire: one half is the device's, the other the operation's."""
    book = registrations()
    first, second, other = (
        book.begin(name, ASSIGNED, now=0.0).operation_id.split(".")
        for name in ("device-1", "DEVICE-1", "device-2")
    )

    assert first[:2] == second[:2]
    assert first[2] != second[2]
    assert first[1] != other[1]
