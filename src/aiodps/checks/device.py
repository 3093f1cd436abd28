"""All checks of a device in its network: settings, credential, network, service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
from cryptography import x509

from aiodps.attestation.base import NoCertificate
from aiodps.checks.credential import check_credentials
from aiodps.checks.model.finding import Finding, Verdict, bad, good, not_tried
from aiodps.checks.model.plan import Clock, Plan, paths_of, utc_now
from aiodps.checks.network.endpoint import Show, check_endpoint
from aiodps.checks.service import check_registration, not_asked
from aiodps.network.proxy import Proxy
from aiodps.network.trust import Trust
from aiodps.settings import Settings

_LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device and what is to be checked of it."""

    settings: Settings
    verified: Sequence[x509.Certificate] = ()
    """CAs that are verified at DPS; empty if nothing is known of them."""
    register: bool = False
    """Whether to ask the service, by a registration."""
    now: Clock = field(default=utc_now, repr=False)


async def check_device(device: Device, show: Show) -> tuple[str, ...]:
    """Check everything within the settings' `timeout`, and show each finding.

    Returns:
        The transports that get through.
    """
    settings, began = device.settings, anyio.current_time()
    show(check_settings(settings, register=device.register))
    found, credentials = await check_credentials(
        settings, verified=device.verified, now=device.now()
    )
    for each in found:
        show(each)

    plan = Plan(
        host=settings.endpoint,
        paths=paths_of(settings),
        trust=Trust.of(settings.trust),
        address=settings.address,
        proxy=Proxy.load(settings.proxy, settings.proxy_password_file),
        identity=credentials[0].tls_identity() if credentials else NoCertificate(),
        now=device.now,
    )
    usable = await check_endpoint(plan, within=settings.timeout, show=show)
    if not device.register:
        show(not_asked())
        return usable

    left = max(_LEAST_SECONDS, settings.timeout - (anyio.current_time() - began))
    show(await check_registration(settings.replace(timeout=left), credentials, usable))
    return usable


def check_settings(settings: Settings, *, register: bool) -> Finding:
    """Return what is going to be checked, and whether anything is missing for a registration."""
    parts = [f"endpoint {settings.endpoint}", f"transport {settings.transport}"]
    if settings.address is not None:
        parts.insert(1, f"at {settings.address}")

    if settings.proxy is not None:
        parts.append(f"proxy {settings.proxy}")

    given = ", ".join(parts)
    if settings.id_scope is not None:
        return good("settings", f"id scope {settings.id_scope}, {given}")

    advice = "give --id-scope, or set AIODPS_ID_SCOPE"
    if register:
        return bad("settings", "incomplete", f"no id scope; {given}", advice)

    return not_tried("settings", f"no id scope; {given}", advice)


def all_good(findings: Sequence[Finding]) -> bool:
    """Whether nothing is bad."""
    return all(each.verdict is not Verdict.BAD for each in findings)
