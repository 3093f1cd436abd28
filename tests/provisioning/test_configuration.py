"""What a client is configured with."""

from __future__ import annotations

from typing import Any

import pytest
from tests.emulated import DEVICES, attestation, client, emulator

import aiodps
from aiodps import errors
from aiodps.provisioning.configuration import Configuration
from aiodps.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]


def test_no_id_scope() -> None:
    """The id scope is the one setting without a default."""
    with pytest.raises(errors.ConfigurationError) as caught:
        aiodps.ProvisioningClient()

    assert caught.value.setting == "id_scope"


def test_the_default() -> None:
    """Without a port all transports race, on every event loop; each client has a race of its own."""
    one, other = (Configuration(Settings(id_scope="0ne00000000")) for _ in range(2))
    race = one.transport(needs_rest=False)

    assert one.settings.transport == race.name == "auto"
    assert one.transport(needs_rest=False) is race
    assert other.transport(needs_rest=False) is not race


async def test_auto_at_a_port() -> None:
    """At a port of one's own nothing can race: `auto` is mqtt, unless it is that of https."""
    async with emulator() as dps:
        assignment = await client(dps, "auto", port=dps.mqtt_port).provision(
            attestation=attestation(DEVICES["root"])
        )

    assert assignment.transport == "mqtt"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_transport_as_a_value() -> None:
    """A transport may be a value with settings of its own."""
    async with emulator() as dps:
        chosen = client(dps, aiodps.REST(port=dps.https_port), port=None)
        assignment = await chosen.provision(attestation=attestation(DEVICES["root"]))

    assert assignment.transport == "rest"


@pytest.mark.parametrize(("setting", "value"), [("port", 8883), ("mqtt_session", "native")])
def test_what_a_value_would_not_obey(setting: str, value: Any) -> None:
    """It is refused besides a transport as a value."""
    settings = Settings(id_scope="0ne00000000", transport=aiodps.MQTT(), **{setting: value})
    with pytest.raises(errors.ConfigurationError) as caught:
        Configuration(settings).transport(needs_rest=False)

    assert caught.value.setting == setting
