"""Which IoT Hub a device goes to.

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

from aiodps.errors import ConfigurationError

MAX_WEIGHT = 1000
"""Weights of hubs go from 1 to this."""

_WEIGHT = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


class AllocationPolicy(enum.StrEnum):
    """How an enrollment chooses among hubs (`allocationPolicy` on the wire)."""

    HASHED = "hashed"
    """By the registration id; the default."""
    GEO_LATENCY = "geoLatency"
    """The nearest one."""
    STATIC = "static"
    """The one that the enrollment names."""
    CUSTOM = "custom"
    """A webhook decides."""


class LinkedHubs:
    """The hubs of an instance: host names in order, each with a weight.

    Args:
        hubs: To begin with, each as `host` or `host=weight`; a weight is 1 if nothing is said.

    Raises:
        ConfigurationError: If one is neither.
    """

    def __init__(self, hubs: Iterable[str] = ()) -> None:
        self.weights: dict[str, int] = {}
        """Shares of devices, by host name."""
        for each in hubs:
            self.append(each)

    def append(self, hub: str) -> None:
        """Link a hub, or give a linked one another weight.

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

    def __contains__(self, hub: object) -> bool:
        return hub in self.weights

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What an enrollment says about hubs."""

    policy: AllocationPolicy | None = None
    """None for what the instance does, which is to hash."""
    hub: str | None = None
    """The hub named by itself (`iotHubHostName`); it decides. None if there is none."""
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
        """Return the device's hub, always the same for the same arguments; None if none can be.

        One more hub takes devices from the others and moves no device between them.
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
    """Score a hub for a device: of many devices, each hub is the highest for its weight's share.

    Weighted rendezvous hashing.
    """
    digest = hashlib.sha256(f"{hub.lower()}\n{registration_id.lower()}".encode()).digest()
    return weight / -math.log((int.from_bytes(digest[:8]) + 1) / (2**64 + 2))
