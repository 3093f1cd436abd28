"""What a client is configured with."""

from __future__ import annotations

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
    """A transport may be a value with settings of its own; a port beside it is refused."""
    async with emulator() as dps:
        value = aiodps.REST(port=dps.https_port)
        identity = attestation(DEVICES["root"])
        chosen = client(dps, value, port=None)
        assert (await chosen.provision(attestation=identity)).transport == "rest"
        with pytest.raises(errors.ConfigurationError) as caught:
            await client(dps, value).provision(attestation=identity)

    assert caught.value.setting == "port"
