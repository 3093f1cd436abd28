"""What an enrollment says about devices that come again, and about a hub that others choose.

Source of the JSON shapes: Microsoft's REST reference of the DPS service API, `ReprovisionPolicy`
and `CustomAllocationDefinition`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from aiodps.emulator.service.json_members import Members


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprovisionPolicy:
    """What happens to a device that registers again."""

    update_hub_assignment: bool = True
    """Whether it may be assigned to another hub than before."""
    migrate_device_data: bool = True
    """Whether its twin moves along; otherwise the initial twin applies again."""

    @classmethod
    def read(cls, members: Members) -> Self:
        """Read what `to_json` writes; what is absent is true.

        Raises:
            ConfigurationError: If it cannot be read; the message says where.
        """
        return cls(
            update_hub_assignment=members.flag("updateHubAssignment") is not False,
            migrate_device_data=members.flag("migrateDeviceData") is not False,
        )

    def to_json(self) -> dict[str, Any]:
        """Write it as the service API does."""
        return {
            "updateHubAssignment": self.update_hub_assignment,
            "migrateDeviceData": self.migrate_device_data,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomAllocation:
    """The webhook that chooses the hub (`customAllocationDefinition` on the wire)."""

    webhook_url: str = field(repr=False)
    """Never in a repr: Azure Functions have their key in it."""
    api_version: str
    """Of the service API, whose shapes the webhook is told."""

    @classmethod
    def read(cls, members: Members) -> Self:
        """Read what `to_json` writes.

        Raises:
            ConfigurationError: If it cannot be read; the message says where.
        """
        return cls(
            webhook_url=members.required_text("webhookUrl"),
            api_version=members.required_text("apiVersion"),
        )

    def to_json(self) -> dict[str, Any]:
        """Write it as the service API does."""
        return {"webhookUrl": self.webhook_url, "apiVersion": self.api_version}
