"""From register to assigned, on real sockets with real TLS, each way into the service."""

from __future__ import annotations

import anyio
import pytest
from tests.certificates import certify, intermediate
from tests.emulated import DEVICES, attestation, client, emulator

import aiodps
from aiodps import errors
from aiodps.pki import Credential

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
PATIENCE = 120.0
"""Seconds after which a client that does not end has failed."""

BOTH = pytest.mark.parametrize(
    ("transport", "anyio_backend"),
    [("rest", "asyncio"), ("rest", "trio"), ("mqtt", "asyncio")],
)
EACH = pytest.mark.parametrize(
    ("transport", "anyio_backend"),
    [("rest", "asyncio"), ("rest", "trio"), ("mqtt", "asyncio"), ("mqtt-ws", "asyncio")],
)
QUIET = pytest.mark.parametrize("anyio_backend", ["asyncio"])


@EACH
@pytest.mark.parametrize("way", ["individual", "root", "intermediate"])
async def test_every_way_in(way: str, transport: str) -> None:
    """Individual enrollment, group by root, group by intermediate: each ends in an assignment."""
    async with emulator() as dps:
        device = DEVICES[way]
        assignment = await client(dps, transport).provision(attestation=attestation(device))

    assert assignment.registration_id == device.name
    assert assignment.device_id == ("press-4" if way == "individual" else device.name)
    assert assignment.assigned_hub == dps.hub
    assert assignment.transport == transport
    assert assignment.substatus is aiodps.Substatus.INITIAL_ASSIGNMENT
    assert assignment.enrollment_group_id == (None if way == "individual" else f"by-{way}")


@BOTH
async def test_one_register_each(transport: str) -> None:
    """L4: on a clean network each device registers exactly once, however long it takes."""
    async with emulator(assign_after=0.2) as dps:
        await client(dps, transport).provision(attestation=attestation(DEVICES["root"]))

    assert dps.counts.register_requests == {"by-root-1": 1}


def alone(device: Credential) -> Credential:
    """Leave out the intermediates, as devices do that send their leaf only."""
    return Credential(certificate=device.certificate, private_key=device.private_key)


@BOTH
@pytest.mark.parametrize(
    ("device", "error"),
    [
        pytest.param(certify("stranger-1", self_signed=True), errors.UnauthorizedError, id="none"),
        pytest.param(DEVICES["disabled"], errors.RegistrationDisabledError, id="disabled"),
        pytest.param(
            certify("individual-1", self_signed=True), errors.UnauthorizedError, id="thumbprint"
        ),
        pytest.param(
            alone(intermediate().intermediate("deep").device("deep-1")),
            errors.UnauthorizedError,
            id="chain-not-sent",
        ),
    ],
)
async def test_refusals(
    device: Credential, error: type[errors.ServiceError], transport: str
) -> None:
    """A refused identity ends in the service's own words, at once, with codes and a hint."""
    async with emulator() as dps:
        with pytest.raises(error) as caught:
            await client(dps, transport).provision(attestation=attestation(device))

    assert caught.value.attempts == 1
    assert caught.value.transport == transport
    assert caught.value.registration_id == device.name
    if error is errors.UnauthorizedError:
        assert caught.value.error_code == 401002
        assert caught.value.tracking_id


@BOTH
async def test_wrong_id_scope(transport: str) -> None:
    """An id scope that names no instance is told by the service."""
    async with emulator() as dps:
        wrong = client(dps, transport, id_scope="0neFFFFFFFF")
        with anyio.fail_after(PATIENCE), pytest.raises(errors.ServiceError):
            await wrong.provision(attestation=attestation(DEVICES["root"]))


@BOTH
async def test_untrusted_server(transport: str) -> None:
    """Without its CA the emulator is a stranger: Azure's roots are trusted, and no other."""
    async with emulator() as dps:
        trusting = client(dps, transport, trust="azure")
        with anyio.fail_after(PATIENCE), pytest.raises(errors.ServerIdentityError) as caught:
            await trusting.provision(attestation=attestation(DEVICES["root"]))

    assert caught.value.attempts == 1


@BOTH
async def test_hub_elsewhere(transport: str) -> None:
    """J15: a hub outside Azure's domains is refused, unless the caller allows it."""
    async with emulator(hub="hub.example.test") as dps:
        identity = attestation(DEVICES["root"])
        with pytest.raises(errors.UntrustedHubError):
            await client(dps, transport).provision(attestation=identity)

        allowing = client(dps, transport, hub_suffixes=(".example.test",))
        assignment = await allowing.provision(attestation=identity)

    assert assignment.assigned_hub == "hub.example.test"


@QUIET
async def test_the_same_device_twice_at_once() -> None:
    """C14: a second registration of the same id at once is refused; afterwards it is not."""
    async with emulator(assign_after=0.3) as dps:
        one = client(dps, "mqtt")
        identity = attestation(DEVICES["root"])
        refused: list[errors.UsageError] = []

        async def second() -> None:
            try:
                await one.provision(attestation=identity, registration_id="BY-ROOT-1")
            except errors.UsageError as error:
                refused.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: one.provision(attestation=identity))
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(second)

        await one.provision(attestation=identity)

    assert len(refused) == 1


@QUIET
@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        pytest.param({"registration_id": "dev/1"}, "registration_id", id="C02"),
        pytest.param({"registration_id": ""}, "registration_id", id="empty"),
        pytest.param({"payload": [1]}, "payload", id="C08"),
        pytest.param({"operation_id": "a/b"}, "operation_id", id="operation"),
        pytest.param({"attestation": None}, "attestation", id="C11"),
    ],
)
async def test_bad_calls(arguments: dict[str, object], setting: str) -> None:
    """Nonsense is told before anything is sent."""
    nowhere = aiodps.ProvisioningClient(id_scope="0ne00000000", endpoint="127.0.0.1", port=1)
    base = {"attestation": attestation(DEVICES["root"])}
    with pytest.raises(errors.ConfigurationError) as caught:
        await nowhere.provision(**{**base, **arguments})  # type: ignore[arg-type]  # that is the point

    assert caught.value.setting == setting
    assert caught.value.phase is aiodps.Phase.CONFIGURATION


@QUIET
async def test_another_devices_certificate() -> None:
    """K23: a registration id that is not the CN is told before anything is sent."""
    nowhere = aiodps.ProvisioningClient(id_scope="0ne00000000", endpoint="127.0.0.1", port=1)
    with pytest.raises(errors.IdentityMismatchError) as caught:
        await nowhere.provision(
            attestation=attestation(DEVICES["root"]), registration_id="another"
        )

    assert caught.value.registration_id == "another"


def test_repr() -> None:
    """A client shows where it goes."""
    shown = repr(aiodps.ProvisioningClient(id_scope="0ne00000000"))

    assert "global.azure-devices-provisioning.net" in shown


def test_public_names() -> None:
    """What can be imported from the top is listed, sorted, and nothing else."""
    assert set(aiodps.__all__) <= set(dir(aiodps))
    assert len(set(aiodps.__all__)) == len(aiodps.__all__)
