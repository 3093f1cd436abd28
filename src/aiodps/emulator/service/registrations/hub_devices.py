"""Devices at the linked IoT hubs, with their twins: how they are created and moved.

Source: Microsoft Learn, "IoT Hub Device reprovisioning concepts": a device that moves is removed
from the hub it was at; its twin moves along, or begins anew with the initial twin. That substatus
follows from this is our reading of its names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiodps.emulator.state.store import Kind, MemoryStore, Store, reading
from aiodps.models import Substatus

Twin: TypeAlias = Mapping[str, Any]
"""`tags` and `properties`, as an enrollment has them in `initialTwin`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubDevice:
    """A device identity at an IoT hub."""

    hub: str
    """Host name of the IoT Hub."""
    device_id: str
    """Its id at that hub."""

    @property
    def key(self) -> str:
        """Key of the device in a store."""
        return f"{self.hub}/{self.device_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentTerms:
    """What an enrollment says about the assignment of a device."""

    device_id: str
    """The device's id at whichever hub."""
    migrate: bool = True
    """Whether its twin moves along; otherwise it is reset at each registration."""
    initial_twin: Twin | None = field(default=None, repr=False)
    """None for an empty one."""


def substatus(before: HubDevice | None, after: HubDevice, *, migrate: bool) -> Substatus:
    """Return the substatus of an assignment.

    Args:
        before: The previous assignment; None if there is none.
        after: The new one.
        migrate: Whether the twin moves along.
    """
    if before is None:
        return Substatus.INITIAL_ASSIGNMENT

    if before.hub.lower() == after.hub.lower():
        return Substatus.REPROVISIONED_TO_INITIAL_ASSIGNMENT

    return Substatus.DEVICE_DATA_MIGRATED if migrate else Substatus.DEVICE_DATA_RESET


class HubDevices:
    """The devices that the service has created at the linked hubs.

    Args:
        store: Keeps them over a restart; None for memory alone.
    """

    def __init__(self, *, store: Store | None = None) -> None:
        self._store = store or MemoryStore()
        with reading(Kind.HUB_DEVICE):
            kept = (each for _, each in self._store.load(Kind.HUB_DEVICE))
            self._twins: dict[HubDevice, Twin] = {
                HubDevice(**each["hub_device"]): each["twin"] for each in kept
            }

    def __iter__(self) -> Iterator[tuple[HubDevice, Twin]]:
        """Go through all of them, with their twins."""
        return iter(self._twins.items())

    def twin(self, hub_device: HubDevice) -> Twin | None:
        """Return the twin of a device, or None if there is no such device."""
        return self._twins.get(hub_device)

    def clear(self) -> None:
        """Remove all of them."""
        for hub_device in list(self._twins):
            self._remove(hub_device)

    def assign(
        self, before: HubDevice | None, after: HubDevice, terms: AssignmentTerms
    ) -> Substatus:
        """Assign a device to a hub; one that exists there already is kept.

        Returns:
            How the assignment came about.
        """
        moved = None if before in {None, after} else self._remove(before)
        kept = self._twins.get(after) if moved is None else moved
        if kept is None or (before is not None and not terms.migrate):
            kept = terms.initial_twin or {}

        self._put(after, kept)
        return substatus(before, after, migrate=terms.migrate)

    def _put(self, hub_device: HubDevice, twin: Twin) -> None:
        if self._twins.get(hub_device) == twin:
            return

        self._twins[hub_device] = twin
        self._store.put(
            Kind.HUB_DEVICE,
            hub_device.key,
            lambda: {
                "hub_device": {"hub": hub_device.hub, "device_id": hub_device.device_id},
                "twin": twin,
            },
        )

    def _remove(self, hub_device: HubDevice | None) -> Twin | None:
        if hub_device is None:
            return None

        self._store.delete(Kind.HUB_DEVICE, hub_device.key)
        return self._twins.pop(hub_device, None)
