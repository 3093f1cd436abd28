"""Registration records: operations begin, end by themselves, and are forgotten in time."""

from __future__ import annotations

import random

import pytest
from tests.emulator.dict_store import DictStore

from aiodps.emulator.protocol.errors import Refusal
from aiodps.emulator.service.registrations.custom_allocation import WebhookCall
from aiodps.emulator.service.registrations.hub_devices import AssignmentTerms, HubDevice
from aiodps.emulator.service.registrations.record import KEPT_OPERATIONS, Outcome
from aiodps.emulator.service.registrations.store import Registrations
from aiodps.emulator.state.store import Store
from aiodps.models import RegistrationStatus, Substatus

PLACE = HubDevice(hub="h", device_id="d")
ASSIGNED = Outcome(
    status=RegistrationStatus.ASSIGNED, hub_device=PLACE, substatus=Substatus.INITIAL_ASSIGNMENT
)
FAILED = Outcome(status=RegistrationStatus.FAILED, error_code=401001, error_message="no hub")
CALL = WebhookCall(
    registration_id="device-1",
    url="https://example.org/?code=secret",
    request={"linkedHubs": ["h"]},
    terms=AssignmentTerms(device_id="d"),
)


def registrations(assign_after: float = 2.0, store: Store | None = None) -> Registrations:
    """Make a book of records."""
    rng = random.Random(5)  # noqa: S311 (no secrets here)
    return Registrations(assign_after=assign_after, rng=rng, store=store)


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
    assert book.record("device-2") is None
    assert book.hub_device_of("device-2", now=10.0) is None


def test_memory_is_bounded() -> None:
    """Of a device that registers for ever, the last few operations are kept."""
    book = registrations()
    operations = [book.begin("device-1", ASSIGNED, now=float(n)) for n in range(1000)]
    found = [each for each in operations if book.find("device-1", each.operation_id)]

    assert found == operations[-KEPT_OPERATIONS:]


def test_where_a_device_is_at_home() -> None:
    """What is not finished does not count yet, what failed never does, what is forgotten does."""
    book = registrations(assign_after=2.0)
    book.begin("device-1", ASSIGNED, now=10.0)
    places = [book.hub_device_of("device-1", now=now) for now in (11.9, 12.0)]
    for now in range(20, 30):
        book.begin("device-1", FAILED, now=float(now))

    assert places == [None, PLACE]
    assert book.hub_device_of("device-1", now=99.0) == PLACE


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


def test_created_stays() -> None:
    """A device registered for the first time only once."""
    book = registrations()
    created = {book.begin("device-1", ASSIGNED, now=float(n)).created for n in range(9)}

    assert created == {0.0}


def test_deleting() -> None:
    """A record is deleted by anybody who saw its latest state; then it never was."""
    book = registrations()
    operation = book.begin("device-1", ASSIGNED, now=0.0)
    with pytest.raises(Refusal, match="Precondition failed"):
        book.delete("DEVICE-1", if_match='"another"')

    book.delete("DEVICE-1", if_match=operation.etag)
    assert list(book.records()) == []
    assert book.find("device-1", operation.operation_id) is None
    with pytest.raises(Refusal, match="not found"):
        book.delete("device-1")


def test_the_devices_of_a_group() -> None:
    """Each is in the group that let it in last, in any casing."""
    book = registrations()
    book.begin("device-1", ASSIGNED, enrollment_group_id="Old", now=0.0)
    book.begin("device-1", ASSIGNED, enrollment_group_id="New", now=1.0)
    book.begin("device-2", ASSIGNED, now=1.0)

    assert list(book.of_group("NEW")) == ["device-1"]
    assert list(book.of_group("old")) == []
    assert book.group_of("device-2") is None


def test_a_webhook_decides() -> None:
    """Until then nothing is finished, however late it is; afterwards never before its time."""
    book = registrations(assign_after=2.0)
    operation = book.begin("device-1", None, call=CALL, now=0.0)
    waiting = operation.result(99.0)
    for now, finished in ((1.0, 2.0), (50.0, 50.0)):
        record = book.record("device-1")
        assert record is not None
        book.decide(record, operation, ASSIGNED, now=now)
        decided = book.find("device-1", operation.operation_id)
        assert decided is not None
        assert (decided.finished, decided.outcome, decided.call) == (finished, ASSIGNED, None)

    assert waiting is None


def test_a_store_brings_everything_back() -> None:
    """Records, operations, and calls that nobody has answered."""
    store = DictStore()
    book = registrations(store=store)
    book.begin("Device-2", ASSIGNED, now=1.0)
    book.begin("device-3", FAILED, now=2.0)
    book.begin("device-1", None, call=CALL, now=3.0)
    book.delete("device-3")
    again = registrations(store=store)

    assert list(again.records()) == list(book.records())
    assert again.calls() == [CALL]
