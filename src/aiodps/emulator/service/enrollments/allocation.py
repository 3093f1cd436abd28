"""Allocation: the choice of an IoT Hub for a device.

Source: Microsoft Learn, "How to use allocation policies to provision devices across IoT hubs":
`hashed` spreads devices evenly, or by the weights of the hubs; `geoLatency` takes the hub with the
lowest latency and hashes among several that have it. On one machine all have it.
"""

from __future__ import annotations

import enum
import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiodps.emulator.state.store import Kind, MemoryStore, Store, reading
from aiodps.errors import ConfigurationError

MAX_WEIGHT = 1000
"""Largest weight of a hub; the smallest is 1."""

_WEIGHT = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_HOST = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}", re.ASCII | re.IGNORECASE)


class AllocationPolicy(enum.StrEnum):
    """An allocation policy (`allocationPolicy` on the wire)."""

    HASHED = "hashed"
    """By the registration id; the default."""
    GEO_LATENCY = "geoLatency"
    """The nearest one."""
    STATIC = "static"
    """The one that the enrollment names."""
    CUSTOM = "custom"
    """A webhook decides."""


class LinkedHubs:
    """The linked hubs of an instance: host names in order, each with a weight.

    Args:
        hubs: Each as `host` or `host=weight`; the default weight is 1.
        store: Keeps what is linked later over a restart; None for memory alone.

    Raises:
        ConfigurationError: If one is neither.
    """

    def __init__(self, hubs: Iterable[str] = (), *, store: Store | None = None) -> None:
        self._store = store or MemoryStore()
        self.weights: dict[str, int] = {}
        """Shares of devices, by host name."""
        for each in hubs:
            self.append(each)

        with reading(Kind.LINKED_HUB):
            for name, document in self._store.load(Kind.LINKED_HUB):
                self.append(f"{name}={document['weight']}")

    def append(self, hub: str) -> None:
        """Link a hub, or change the weight of a linked one.

        Raises:
            ConfigurationError: If it is neither `host` nor `host=weight`.
        """
        name, _, weight = hub.partition("=")
        if not name or not _WEIGHT.fullmatch(weight or "1") or int(weight or "1") > MAX_WEIGHT:
            raise ConfigurationError(
                f"{hub!a} is not an IoT hub with a weight",
                setting="linked_hubs",
                hint=f"give a host name, or host=weight with a weight from 1 to {MAX_WEIGHT}",
            )

        self.weights[name] = int(weight or "1")

    def link(self, hub: str, *, weight: str) -> None:
        """Link a hub, or change the weight of a linked one, for this and the next starts.

        Raises:
            ConfigurationError: If it is not a host name, or the weight out of range.
        """
        known = next((each for each in self if each.lower() == hub.lower()), hub)
        if not _HOST.fullmatch(known):
            raise ConfigurationError(
                f"{hub!a} is not the host name of an IoT hub, like my-hub.azure-devices.net",
                setting="linked_hubs",
            )

        self.append(f"{known}={weight}")
        document = {"weight": self.weights[known]}
        self._store.put(Kind.LINKED_HUB, known, lambda: document)

    def unlink(self, hub: str) -> None:
        """Remove a hub; its devices keep their assignment until they register again."""
        del self.weights[hub]
        self._store.delete(Kind.LINKED_HUB, hub)

    def __contains__(self, hub: object) -> bool:
        return hub in self.weights

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The allocation settings of an enrollment."""

    policy: AllocationPolicy | None = None
    """None for the instance's policy, `hashed`."""
    hub: str | None = None
    """The hub in `iotHubHostName`, which takes precedence; None if there is none."""
    hubs: tuple[str, ...] = ()
    """The hubs to choose from (`iotHubs`); empty for all that are linked."""

    @property
    def named(self) -> tuple[str, ...]:
        """Every hub that the enrollment names."""
        return self.hubs if self.hub is None else (self.hub,)

    def allowed(self, linked: LinkedHubs) -> list[str]:
        """Return the linked hubs that the enrollment may use, in its own order."""
        return [each for each in self.named or linked if each in linked]

    def choose(self, registration_id: str, *, linked: LinkedHubs) -> str | None:
        """Return the hub for a device, the same for the same arguments; None if there is none.

        A hub that is added takes over devices, and moves none between the others.
        """
        hubs = self.allowed(linked)
        if self.policy is AllocationPolicy.STATIC or len(hubs) < 2:  # noqa: PLR2004 (no choice)
            return hubs[0] if hubs else None

        weighted = self.policy is not AllocationPolicy.GEO_LATENCY
        return max(
            hubs,
            key=lambda hub: _score(registration_id, hub, linked.weights[hub] if weighted else 1),
        )


def _score(registration_id: str, hub: str, weight: int) -> float:
    """Score a hub for a device by weighted rendezvous hashing: the highest score wins."""
    digest = hashlib.sha256(f"{hub.lower()}\n{registration_id.lower()}".encode()).digest()
    return weight / -math.log((int.from_bytes(digest[:8]) + 1) / (2**64 + 2))
