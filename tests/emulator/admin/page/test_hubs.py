"""The section of linked IoT hubs."""

from __future__ import annotations

import pytest
from tests.emulator.admin.page.visitor import Visitor
from tests.emulator.dict_store import DictStore
from tests.emulator.instance import HUB, instance

from aiodps.emulator.service.enrollments.json import read_enrollment

pytestmark = pytest.mark.anyio
WEST = "hub-west.azure-devices.net"


def enrolled(name: str, hub: str) -> object:
    """Enroll a device that names a hub."""
    document = {"registrationId": name, "attestation": {"type": "symmetricKey"}, "iotHubs": [hub]}
    return read_enrollment(document, source="")


async def test_link_weigh_and_remove() -> None:
    """A hub comes, gets another weight, and goes; each step is saved."""
    visitor = Visitor()
    hubs = visitor.service.linked_hubs
    assert f"{WEST} is linked." in await visitor.post("/hubs", {"name": WEST, "weight": "3"})
    assert hubs.weights == {HUB: 1, WEST: 3}

    await visitor.post(f"/hubs/{WEST}/weight", {"weight": "7"})
    assert hubs.weights[WEST] == 7

    assert f"{WEST} is not linked any more" in await visitor.post(f"/hubs/{WEST}/delete")
    assert (list(hubs), visitor.saved) == ([HUB], 3)


@pytest.mark.parametrize(
    ("path", "fields", "reason"),
    [
        ("/hubs", {"name": HUB.upper(), "weight": "1"}, "is linked already"),
        ("/hubs", {"name": "a b", "weight": "1"}, "'a b' is not the host name of an IoT hub"),
        ("/hubs", {"name": "", "weight": "1"}, "is not the host name"),
        ("/hubs", {"name": "a", "weight": "0"}, "a weight from 1 to 1000"),
        (f"/hubs/{HUB}/weight", {"weight": "many"}, "a weight from 1 to 1000"),
        (f"/hubs/{HUB}/delete", {}, "is the only hub: link another one first"),
        (f"/hubs/{WEST}/delete", {}, "is in use: lamp-0, lamp-1, lamp-2, lamp-3, lamp-4 and 1"),
    ],
)
async def test_what_cannot_be_is_said(path: str, fields: dict[str, str], reason: str) -> None:
    """With the reason; nothing is saved, and what was typed stays."""
    enrollments = [enrolled(f"lamp-{n}", WEST) for n in range(6)] if WEST in path else []
    visitor = Visitor(instance(*enrollments))  # type: ignore[arg-type]
    before = dict(visitor.service.linked_hubs.weights)
    answer = await visitor.submit(path, fields)

    assert answer.status_code == 400
    html = bytes(answer.body).decode().replace("&#39;", "'")
    assert reason in html
    assert f'value="{fields.get("name", "")}"' in html
    assert (visitor.service.linked_hubs.weights, visitor.saved) == (before, 0)


@pytest.mark.parametrize("action", ["weight", "delete"])
async def test_an_unknown_hub(action: str) -> None:
    """404."""
    assert (await Visitor().submit(f"/hubs/none/{action}", {"weight": "1"})).status_code == 404


async def test_a_linked_hub_survives_a_restart() -> None:
    """With its weight, until it is removed."""
    store = DictStore()
    visitor = Visitor(instance(store=store))
    await visitor.post("/hubs", {"name": WEST, "weight": "3"})
    assert instance(store=store).linked_hubs.weights == {HUB: 1, WEST: 3}

    await visitor.post(f"/hubs/{WEST}/delete")
    assert list(instance(store=store).linked_hubs) == [HUB]
