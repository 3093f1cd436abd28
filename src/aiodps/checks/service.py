"""Service: what DPS itself says of the device, by a registration."""

from __future__ import annotations

from collections.abc import Sequence

from aiodps.attestation.base import Attestation
from aiodps.checks.model.finding import Finding, good, not_tried, of_error
from aiodps.client import ProvisioningClient
from aiodps.errors import ProvisioningError
from aiodps.registration.retry import RetryPolicy
from aiodps.settings import Settings
from aiodps.transports import AUTO, TRANSPORTS

NAME = "register"
ONCE = RetryPolicy(max_failures=1)


def not_asked() -> Finding:
    """Return that a registration was not asked for."""
    advice = "--register registers the device, as `aiodps provision` does; it is billed"
    return not_tried(NAME, "not asked for", advice)


async def check_registration(
    settings: Settings,
    attestation: Sequence[Attestation],
    usable: Sequence[str],
    *,
    retry: RetryPolicy = ONCE,
) -> Finding:
    """Register the device once.

    Args:
        settings: Of the device.
        attestation: Its credentials.
        usable: The transports that get through.
        retry: When to poll and to give up; by default after the first failure.
    """
    if not attestation:
        return not_tried(NAME, "there is no credential that can be used")

    try:
        client = ProvisioningClient.from_settings(
            settings.replace(transport=_choose(settings, usable)),
            retry=retry,
            loud=False,
        )
        assigned = await client.provision(attestation=attestation)
    except ProvisioningError as error:
        return of_error(NAME, error)

    return good(NAME, f"assigned to {assigned.assigned_hub} as {assigned.device_id!r}")


def _choose(settings: Settings, usable: Sequence[str]) -> str | None:
    """Return a transport that gets through and that this client has; None to leave the choice."""
    ours = [name for name in usable if name in TRANSPORTS]
    return next(iter(ours), None) if settings.transport == AUTO else None
