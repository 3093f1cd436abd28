"""Keys and assignments for tests of the cache, and a process that stores them until it is killed."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import anyio

import aiodps
from aiodps.assignments.cache_key import CacheKey
from aiodps.protocol.payloads import parse_assignment

EPOCH = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
ANY_HUB = (".azure-devices.net",)


def key(registration_id: str = "press-4", **changes: str) -> CacheKey:
    """Make the key of a device."""
    same = {"endpoint": "dps.example", "id_scope": "0neABC", "credentials": "c", "payload": "p"}
    return CacheKey(registration_id=registration_id, **{**same, **changes})


def assignment(
    registration_id: str = "press-4", number: int = 0, **state: Any
) -> aiodps.Assignment:
    """Make the assignment of a device; a higher number is of a later registration."""
    state = {
        "registrationId": registration_id,
        "deviceId": registration_id,
        "assignedHub": "hub.azure-devices.net",
        "lastUpdatedDateTimeUtc": (EPOCH + dt.timedelta(seconds=number)).isoformat(),
        "payload": {"number": number},
        **state,
    }
    return parse_assignment(state, registration_id=registration_id, transport="rest")


def number_of(found: object) -> int:
    """Return the number of an assignment."""
    assert isinstance(found, aiodps.Assignment), found
    assert isinstance(found.payload, dict)
    return int(found.payload["number"])


def look_up(cache: aiodps.AssignmentCache, registration_id: str) -> object:
    """Look a device of `key` up."""
    return cache.look_up(
        key(registration_id), registration_id=registration_id, hub_suffixes=ANY_HUB
    )


def store_for_ever(folder: Path, devices: Sequence[str], first: int, told: Connection) -> None:
    """Store one assignment after the other, and tell of each that could be returned."""
    cache = aiodps.AssignmentCache(folder)
    for number in itertools.count(first):
        for device in devices:
            cache.store(key(device), assignment(device, number))
            told.send((device, number))


def provision_all(
    folder: Path, keys: dict[str, str], settings: dict[str, Any], told: Connection
) -> None:
    """Provision devices through a cache, and tell of what was returned."""

    async def run() -> None:
        client = aiodps.ProvisioningClient(**settings)
        for name, text in keys.items():
            device = aiodps.SymmetricKey(registration_id=name, key=text)
            cache = aiodps.AssignmentCache(folder)
            found = await client.provision(attestation=device, cache=cache)
            told.send((name, found.assigned_hub, found.device_id, found.cached))

    anyio.run(run)
    told.send(None)
