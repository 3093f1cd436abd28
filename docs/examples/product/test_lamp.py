"""The lamp's test suite; `dps` and `dps_device` come with aiodps, and need no configuration.

pip install 'aiodps[emulator]' pytest && pytest
"""

import asyncio

import aiodps
import pytest
from lamp import Lamp


@pytest.fixture
def settings(dps):
    """Where the emulator is, in place of Azure; no waits between polls."""
    return {
        "id_scope": dps.id_scope,
        "endpoint": dps.host,
        "port": dps.mqtt_port,
        "transport": "mqtt",
        "trust": dps.ca_pem,
        "retry": aiodps.RetryPolicy(min_poll_interval=0, max_failures=2, base=0.01, cap=0.01),
    }


@pytest.fixture
def lamp(dps_device):
    """A lamp as it leaves the factory: with a certificate, enrolled by its CA."""
    device = dps_device("lamp-7", chain=True, group=True)
    return Lamp(device.certificate_file, device.key_file)


def test_it_finds_its_hub(lamp, settings, dps):
    asyncio.run(lamp.switch_on(**settings))

    assert lamp.hub == dps.hub


def test_it_registers_once(lamp, settings, dps):
    asyncio.run(lamp.switch_on(**settings))

    assert dps.register_requests("lamp-7") == 1


def test_it_survives_a_busy_service(lamp, settings, dps):
    dps.misbehave('[[rule]]\noperation = "register"\nfirst = 1\nstatus = 503\nretry_after = 0')
    asyncio.run(lamp.switch_on(**settings))

    assert lamp.hub == dps.hub


def test_it_says_why_it_is_refused(dps_device, settings):
    stranger = dps_device("lamp-8", enrolled=False)
    lamp = Lamp(stranger.certificate_file, stranger.key_file)
    asyncio.run(lamp.switch_on(**settings))

    assert lamp.hub is None
    assert "CA is not verified" in lamp.trouble
