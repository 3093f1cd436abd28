"""Where devices are at home: a hub and an id there, with a twin; how they come there and move.

Source: Microsoft Learn, "IoT Hub Device reprovisioning concepts": a device that moves is removed
from the hub it was at; its twin moves along, or begins anew with the initial twin. That substatus
follows from this is our reading of its names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

from aiodps.emulator.state.store import Kind, MemoryStore, Store, reading
from aiodps.models import Substatus

Twin: TypeAlias = Mapping[str, Any]
"""`tags` and `properties`, as an enrollment has them in `initialTwin`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubDevice:
    """Where a device is at home."""

    hub: str
    """Host name of the IoT Hub."""
    device_id: str
    """Its id there."""

    @property
    def key(self) -> str:
        """The same in one text."""
        return f"{self.hub}/{self.device_id}"

    def to_json(self) -> dict[str, Any]:
        """Write it for a store."""
        return {"hub": self.hub, "device_id": self.device_id}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` writes."""
        return cls(**document)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentTerms:
    """What an enrollment says about the home of a device."""

    device_id: str
    """Its id at any hub."""
    migrate: bool = True
    """Whether its twin moves along; otherwise it begins anew with each registration."""
    initial_twin: Twin | None = field(default=None, repr=False)
    """None for an empty one."""

    def to_json(self) -> dict[str, Any]:
        """Write them for a store."""
        return {
            "device_id": self.device_id,
            "migrate": self.migrate,
            "initial_twin": self.initial_twin,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` writes."""
        return cls(**document)


def substatus(before: HubDevice | None, after: HubDevice, *, migrate: bool) -> Substatus:
    """Name how a device comes to a hub.

    Args:
        before: Where it was assigned to; None if it never was.
        after: Where it is assigned to.
        migrate: Whether its twin moves along.
    """
    if before is None:
        return Substatus.INITIAL_ASSIGNMENT

    if before.hub.lower() == after.hub.lower():
        return Substatus.REPROVISIONED_TO_INITIAL_ASSIGNMENT

    return Substatus.DEVICE_DATA_MIGRATED if migrate else Substatus.DEVICE_DATA_RESET


class HubDevices:
    """The devices at the linked hubs, as far as the service makes and moves them.

    Args:
        store: Where they are kept as well, and where they come from at the start; None for memory
            alone.
    """

    def __init__(self, *, store: Store | None = None) -> None:
        self._store = store or MemoryStore()
        with reading(Kind.HUB_DEVICE):
            kept = (each for _, each in self._store.load(Kind.HUB_DEVICE))
            self._twins: dict[HubDevice, Twin] = {
                HubDevice.from_json(each["place"]): each["twin"] for each in kept
            }

    def __iter__(self) -> Iterator[tuple[HubDevice, Twin]]:
        """Go through all of them, with their twins."""
        return iter(self._twins.items())

    def twin(self, place: HubDevice) -> Twin | None:
        """Return the twin of a device, or None if there is no such device."""
        return self._twins.get(place)

    def clear(self) -> None:
        """Remove all of them."""
        for place in list(self._twins):
            self._remove(place)

    def settle(
        self, before: HubDevice | None, after: HubDevice, terms: AssignmentTerms
    ) -> Substatus:
        """Bring a device to a place; one that is there already stays, also one without record.

        Returns:
            How it came there.
        """
        moved = None if before in {None, after} else self._remove(before)
        kept = self._twins.get(after) if moved is None else moved
        if kept is None or (before is not None and not terms.migrate):
            kept = terms.initial_twin or {}

        self._put(after, kept)
        return substatus(before, after, migrate=terms.migrate)

    def _put(self, place: HubDevice, twin: Twin) -> None:
        if self._twins.get(place) == twin:
            return

        self._twins[place] = twin
        self._store.put(
            Kind.HUB_DEVICE, place.key, lambda: {"place": place.to_json(), "twin": twin}
        )

    def _remove(self, place: HubDevice | None) -> Twin | None:
        if place is None:
            return None

        self._store.delete(Kind.HUB_DEVICE, place.key)
        return self._twins.pop(place, None)
