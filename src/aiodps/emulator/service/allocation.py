"""Which IoT Hub a device goes to."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


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

    def choose(self, registration_id: str, *, linked: Sequence[str]) -> str | None:
        """Return the device's hub, always the same for the same arguments; None if none can be.

        Distance means nothing on one machine, so `geoLatency` hashes as well.
        """
        hubs = [each for each in self.named or linked if each in linked]
        if not hubs:
            return None

        if self.policy is AllocationPolicy.STATIC:
            return hubs[0]

        digest = hashlib.sha256(registration_id.lower().encode()).digest()
        return hubs[int.from_bytes(digest[:8]) % len(hubs)]
