"""The instance itself as Azure Resource Manager shows it."""

from __future__ import annotations

import json

import pytest
from tests.emulator.instance import HUB, SCOPE
from tests.emulator.resource_manager import INSTANCE, ResourceManager

from aiodps.emulator.azure_api.access_policies import EVERYTHING, OWNER

SUBSCRIPTION = "/subscriptions/s"
PROVIDER = "/providers/Microsoft.Devices"


@pytest.fixture
def arm() -> ResourceManager:
    """Return a caller."""
    return ResourceManager()


def test_the_instance(arm: ResourceManager) -> None:
    """Source: `ProvisioningServiceDescription`; its keys are not shown."""
    status, answer = arm.call("GET", "/")
    properties = answer["properties"]

    assert status == 200
    assert (answer["id"], answer["name"]) == (INSTANCE, "dps")
    assert answer["sku"]["name"] == "S1"
    assert properties["idScope"] == SCOPE
    assert properties["serviceOperationsHostName"] == "localhost:8443"
    assert [each["name"] for each in properties["iotHubs"]] == [HUB]
    assert [each["keyName"] for each in properties["authorizationPolicies"]] == [OWNER]
    assert arm.policy.primary_key not in json.dumps(answer)


@pytest.mark.parametrize(
    ("path", "group"),
    [
        (f"{SUBSCRIPTION}{PROVIDER}/provisioningServices", "emulator"),
        (f"{SUBSCRIPTION}/resourceGroups/rg{PROVIDER}/provisioningServices", "rg"),
        (f"{SUBSCRIPTION}/resourcegroups/rg{PROVIDER.lower()}/PROVISIONINGSERVICES/", "rg"),
    ],
)
def test_lists(arm: ResourceManager, path: str, group: str) -> None:
    """Of a subscription or a resource group: the one there is, which its id leads to."""
    _, answer = arm.call("GET", path)
    (only,) = answer["value"]

    assert only["id"].lower().split("/")[4] == group
    assert arm.call("GET", only["id"]) == (200, only)


def test_keys(arm: ResourceManager) -> None:
    """All policies, or one, in any casing."""
    owner = {
        "keyName": OWNER,
        "rights": ", ".join(sorted(EVERYTHING)),
        "primaryKey": arm.policy.primary_key,
        "secondaryKey": arm.policy.secondary_key,
    }

    assert arm.call("POST", "/listkeys") == (200, {"value": [owner]})
    assert arm.call("POST", f"/keys/{OWNER.upper()}/ListKeys") == (200, owner)
    assert arm.call("POST", "/keys/nobody/listkeys")[0] == 404


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("another-dps", None),
        ("emulated-dps", "AlreadyExists"),
        ("EMULATED-DPS", "AlreadyExists"),
        ("a", "Invalid"),
        ("a_b", "Invalid"),
        ("-ab", "Invalid"),
    ],
)
def test_names(arm: ResourceManager, name: str, reason: str | None) -> None:
    """Source: `NameAvailabilityInfo`."""
    path = f"{SUBSCRIPTION}{PROVIDER}/checkProvisioningServiceNameAvailability"
    status, answer = arm.call("POST", path, {"name": name})

    assert status == 200
    assert (answer["nameAvailable"], answer.get("reason")) == (reason is None, reason)
    assert arm.call("POST", path, {"name": 1})[0] == 400
