"""What an enrollment says about devices that come again, and about a hub that others choose."""

from __future__ import annotations

import pytest

from aiodps.emulator.service.json_members import Members
from aiodps.emulator.service.policies import CustomAllocation, ReprovisionPolicy
from aiodps.errors import ConfigurationError


def test_by_default_devices_move_with_their_data() -> None:
    """Source: Microsoft Learn, "IoT Hub Device reprovisioning concepts"."""
    policy = ReprovisionPolicy.read(Members({"migrateDeviceData": None}, "enrollment 0"))

    assert policy == ReprovisionPolicy(update_hub_assignment=True, migrate_device_data=True)


@pytest.mark.parametrize("update", [True, False])
@pytest.mark.parametrize("migrate", [True, False])
def test_policies_there_and_back(*, update: bool, migrate: bool) -> None:
    """What is written can be read."""
    policy = ReprovisionPolicy(update_hub_assignment=update, migrate_device_data=migrate)

    assert ReprovisionPolicy.read(Members(policy.to_json(), "enrollment 0")) == policy


def test_webhooks_there_and_back() -> None:
    """What is written can be read, and the URL's key is not shown."""
    webhook = CustomAllocation(webhook_url="https://h/?code=secret", api_version="2021-10-01")

    assert CustomAllocation.read(Members(webhook.to_json(), "enrollment 0")) == webhook
    assert "secret" not in repr(webhook)


@pytest.mark.parametrize("name", ["webhookUrl", "apiVersion"])
def test_a_webhook_needs_both(name: str) -> None:
    """Source: both are required in `CustomAllocationDefinition`."""
    document = {"webhookUrl": "https://h", "apiVersion": "2021-10-01"} | {name: None}
    with pytest.raises(ConfigurationError, match=f"{name} is missing"):
        CustomAllocation.read(Members(document, "enrollment 0"))
