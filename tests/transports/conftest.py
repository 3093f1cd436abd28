"""Time limits of transports while they are tested, and the sessions of MQTT."""

from __future__ import annotations

import pytest
from tests.scripted import mqtt as scripted

from aiodps.network import dial, resolve, tunnel
from aiodps.transports import mqtt, mqtt_session, upgrade

LIMITS = (
    (resolve, "LOOKUP_TIMEOUT"),
    (dial, "TCP_TIMEOUT"),
    (tunnel, "PROXY_TIMEOUT"),
    (dial, "TLS_TIMEOUT"),
    (mqtt, "UPGRADE_TIMEOUT"),
    (upgrade, "BODY_TIMEOUT"),
    (mqtt_session, "OPEN_TIMEOUT"),
)


@pytest.fixture(autouse=True)
def no_time_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time limit end in a test that has not set one, however busy the machine is.

    So what a test is told, it is told without waiting for a limit.
    """
    for module, name in LIMITS:
        monkeypatch.setattr(module, name, 3600.0)


@pytest.fixture
def session(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the transports of `tests.scripted.mqtt` use this session."""
    monkeypatch.setattr(scripted, "SESSION", request.param)
    return str(request.param)
