"""Devices at hubs: how they come there, and what becomes of their twins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiodps.emulator.service.registrations.hub_devices import (
    AssignmentTerms,
    HubDevice,
    HubDevices,
    substatus,
)
from aiodps.models import Substatus

HERE = HubDevice(hub="here", device_id="d")
THERE = HubDevice(hub="there", device_id="d")
LIVED = {"tags": {"floor": 3}}
INITIAL = {"tags": {"floor": 0}}
PLACES = st.builds(HubDevice, hub=st.sampled_from("abc"), device_id=st.sampled_from("de"))


@pytest.mark.parametrize(
    ("before", "after", "migrate", "expected"),
    [
        (None, HERE, True, Substatus.INITIAL_ASSIGNMENT),
        (None, HERE, False, Substatus.INITIAL_ASSIGNMENT),
        (HERE, HERE, True, Substatus.REPROVISIONED_TO_INITIAL_ASSIGNMENT),
        (HERE, HERE, False, Substatus.REPROVISIONED_TO_INITIAL_ASSIGNMENT),
        (HERE, THERE, True, Substatus.DEVICE_DATA_MIGRATED),
        (HERE, THERE, False, Substatus.DEVICE_DATA_RESET),
    ],
)
def test_substatus(
    before: HubDevice | None, after: HubDevice, migrate: bool, expected: Substatus
) -> None:
    """It follows from where the device was, where it goes, and whether its data go along."""
    assert substatus(before, after, migrate=migrate) is expected


def last(*, migrate: bool, before: HubDevice | None, after: HubDevice) -> HubDevices:
    """Let a device live somewhere, then register again."""
    devices = HubDevices()
    devices.assign(None, before or after, AssignmentTerms(device_id="d", initial_twin=LIVED))
    devices.assign(
        before, after, AssignmentTerms(device_id="d", migrate=migrate, initial_twin=INITIAL)
    )
    return devices


def test_a_twin_moves_along() -> None:
    """The device is removed from the hub it leaves."""
    devices = last(migrate=True, before=HERE, after=THERE)

    assert dict(devices) == {THERE: LIVED}


@pytest.mark.parametrize("after", [HERE, THERE], ids=["stays", "moves"])
def test_a_twin_begins_anew(after: HubDevice) -> None:
    """Without migration the initial twin applies again, also where the device stays."""
    assert dict(last(migrate=False, before=HERE, after=after)) == {after: INITIAL}


def test_a_device_outlives_its_record() -> None:
    """One that is at the hub already keeps its twin, even if the service has forgotten it."""
    assert dict(last(migrate=False, before=None, after=HERE)) == {HERE: LIVED}


def test_without_an_initial_twin() -> None:
    """A device has a twin all the same, an empty one."""
    devices = HubDevices()
    devices.assign(None, HERE, AssignmentTerms(device_id="d"))

    assert devices.twin(HERE) == {}
    assert devices.twin(THERE) is None


@given(path=st.lists(st.tuples(PLACES, st.booleans()), min_size=1, max_size=8))
def test_a_device_is_in_one_place(path: list[tuple[HubDevice, bool]]) -> None:
    """However it moves, it is where it was last last and nowhere else."""
    devices, before = HubDevices(), None
    for after, migrate in path:
        devices.assign(before, after, AssignmentTerms(device_id=after.device_id, migrate=migrate))
        before = after

    assert [home for home, _ in devices] == [path[-1][0]]
