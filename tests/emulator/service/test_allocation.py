"""Which IoT Hub a device goes to."""

from __future__ import annotations

import pytest

from aiodps.emulator.service.allocation import Allocation, AllocationPolicy

LINKED = ("a", "b", "c")


@pytest.mark.parametrize(
    ("allocation", "hub"),
    [
        (Allocation(hub="b"), "b"),
        (Allocation(hub="b", hubs=("a", "c")), "b"),
        (Allocation(policy=AllocationPolicy.STATIC, hubs=("c", "a")), "c"),
        (Allocation(policy=AllocationPolicy.STATIC, hubs=("gone", "a")), "a"),
        (Allocation(hubs=("c",)), "c"),
        (Allocation(hub="gone"), None),
        (Allocation(hubs=("gone", "lost")), None),
    ],
    ids=[
        "named by itself",
        "named by itself and in a list",
        "static",
        "static, first not linked",
        "hashed over one",
        "not linked",
        "none linked",
    ],
)
def test_named_hubs(allocation: Allocation, hub: str | None) -> None:
    """An enrollment's own hubs come first, as far as they are linked."""
    assert allocation.choose("device-1", linked=LINKED) == hub


@pytest.mark.parametrize("policy", [None, AllocationPolicy.HASHED, AllocationPolicy.GEO_LATENCY])
def test_devices_are_spread(policy: AllocationPolicy | None) -> None:
    """Every linked hub gets its share, and a device the same one in any casing."""
    allocation = Allocation(policy=policy)
    chosen = [allocation.choose(f"device-{n}", linked=LINKED) for n in range(300)]
    again = [allocation.choose(f"DEVICE-{n}", linked=LINKED) for n in range(300)]

    assert all(chosen.count(hub) > 60 for hub in LINKED)
    assert chosen == again


def test_without_linked_hubs() -> None:
    """There is nothing to choose from."""
    assert Allocation().choose("device-1", linked=()) is None
