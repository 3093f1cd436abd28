"""Certificates refused with an alert of our choice, as the client's TLS reports it."""

from __future__ import annotations

import ssl

import pytest
from aiodps.emulator.connections.judge import ALERTS
from tests.emulated import device, running
from tests.emulator.connections.test_handshake import reason, rule, shake

pytestmark = pytest.mark.anyio
NAMES = {
    40: "HANDSHAKE_FAILURE",
    42: "BAD_CERTIFICATE",
    43: "UNSUPPORTED_CERTIFICATE",
    44: "CERTIFICATE_REVOKED",
    45: "CERTIFICATE_EXPIRED",
    46: "CERTIFICATE_UNKNOWN",
    48: "UNKNOWN_CA",
    80: "INTERNAL_ERROR",
}


def test_each_alert_has_a_name() -> None:
    """None is left out of these tests."""
    assert set(NAMES) == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_the_alert_is_the_one_that_was_asked_for(
    alert: int, version: ssl.TLSVersion
) -> None:
    """With both versions of TLS, for a certificate with its chain: private names still fit."""
    async with running(**rule(f'registration_id = "device-1"\nalert = {alert}')) as dps:
        assert NAMES[alert] in reason(await shake(dps, device(), version=version))
