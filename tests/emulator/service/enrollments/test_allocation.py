"""Which IoT Hub a device goes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.emulator.dict_store import DictStore

from aiodps.emulator.service.enrollments.allocation import Allocation, AllocationPolicy, LinkedHubs
from aiodps.errors import ConfigurationError

LINKED = LinkedHubs(("a", "b", "c"))


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
    assert Allocation().choose("device-1", linked=LinkedHubs()) is None


def share(hub: str, linked: LinkedHubs, policy: AllocationPolicy) -> float:
    """Return a hub's share of many devices."""
    chosen = [Allocation(policy=policy).choose(str(n), linked=linked) for n in range(2000)]
    return chosen.count(hub) / len(chosen)


def test_weights() -> None:
    """A hub with three times the weight gets three times the devices, if they are hashed."""
    linked = LinkedHubs(["big=3", "small"])

    assert 0.70 < share("big", linked, AllocationPolicy.HASHED) < 0.80
    assert 0.45 < share("big", linked, AllocationPolicy.GEO_LATENCY) < 0.55


@pytest.mark.parametrize("hub", ["", "=3", "h=0", "h=-1", "h=x", "h=1001", "h=1.5", "h= 1"])
def test_no_hubs(hub: str) -> None:
    """Weights go from 1 to 1000."""
    with pytest.raises(ConfigurationError):
        LinkedHubs([hub])


@given(
    name=st.text(min_size=1, max_size=40),
    hubs=st.sets(st.from_regex("[a-z]{1,9}", fullmatch=True), min_size=1),
)
def test_one_more_hub_moves_devices_only_there(name: str, hubs: set[str]) -> None:
    """A device stays where it is, in any order of the hubs, or goes to the new one."""
    first = Allocation().choose(name, linked=LinkedHubs(sorted(hubs)))
    turned = Allocation().choose(name, linked=LinkedHubs(sorted(hubs, reverse=True)))
    after = Allocation().choose(name, linked=LinkedHubs([*sorted(hubs), "a new one"]))

    assert first == turned
    assert after in {first, "a new one"}


def test_what_is_linked_later_is_kept() -> None:
    """With its weight, in the spelling that it was linked with first."""
    store = DictStore()
    linked = LinkedHubs(["a.example"], store=store)
    linked.link("A.example", weight="5")
    linked.link("b.example", weight="")
    assert LinkedHubs(["a.example"], store=store).weights == {"a.example": 5, "b.example": 1}

    linked.unlink("b.example")
    assert LinkedHubs(store=store).weights == {"a.example": 5}


@pytest.mark.parametrize("hub", ["", "a b", ".a", "a/b", "a=2", "<b>", "x" * 254])
def test_what_is_not_a_host_name_is_not_linked(hub: str) -> None:
    """It is said with an example."""
    with pytest.raises(ConfigurationError, match="is not the host name of an IoT hub, like"):
        LinkedHubs().link(hub, weight="1")
