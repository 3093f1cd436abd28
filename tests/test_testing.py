"""Tests of what the pytest fixtures hand out."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.leftovers import nothing_left

import aiodps
from aiodps import testing
from aiodps.errors import ConfigurationError
from aiodps.pki import Authority
from aiodps.testing import Device, DeviceFactory, RunningEmulator

pytestmark = pytest.mark.sockets


@pytest.fixture(scope="module")
def ca() -> Authority:
    """The devices' CA."""
    return Authority.root("a root")


@pytest.fixture
def emulator(ca: Authority, tmp_path: Path) -> Iterator[RunningEmulator]:
    """An emulator in a thread."""
    with testing.running(ca=ca, directory=tmp_path, hub="h.azure-devices.net") as dps:
        yield dps


@pytest.fixture
def make(emulator: RunningEmulator, ca: Authority, tmp_path: Path) -> DeviceFactory:
    """A maker of devices."""
    return DeviceFactory(emulator, ca=ca, directory=tmp_path)


async def provision(
    dps: RunningEmulator,
    device: Device,
    attestation: aiodps.Attestation | None = None,
    issue: aiodps.KeySpec | None = None,
) -> aiodps.Assignment:
    """Provision a device; without an attestation, one that has a certificate."""
    if attestation is None:
        assert device.certificate_file is not None
        attestation = aiodps.X509.from_files(device.certificate_file, device.key_file)

    return await aiodps.provision(
        issue=issue,
        id_scope=dps.id_scope,
        endpoint=dps.host,
        port=dps.https_port,
        transport="rest",
        trust=dps.ca_pem,
        attestation=attestation,
        retry=aiodps.RetryPolicy(min_poll_interval=0, poll_interval=0),
    )


@pytest.mark.anyio
@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("chain", [False, True])
async def test_a_device_with_a_certificate_is_let_in(
    emulator: RunningEmulator, make: DeviceFactory, chain: bool, group: bool
) -> None:
    """By its own enrollment or its group's; the test's loop is not the emulator's."""
    device = make("lamp", chain=chain, group=group)
    assignment = await provision(emulator, device)

    assert (assignment.device_id, assignment.assigned_hub) == ("lamp", "h.azure-devices.net")
    assert emulator.register_requests("lamp") == 1
    assert [exchange.status_code for exchange in emulator.exchanges] == [202, 200]


@pytest.mark.anyio
async def test_a_device_with_a_tpm_is_let_in(
    emulator: RunningEmulator, make: DeviceFactory
) -> None:
    """By its own enrollment."""
    device = make("lamp", attestation="tpm")
    assert device.tpm is not None
    tpm = aiodps.Tpm(device.tpm, registration_id=device.registration_id)

    assert (await provision(emulator, device, tpm)).device_id == "lamp"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("group", [False, True])
async def test_a_device_is_issued_a_certificate(
    emulator: RunningEmulator, make: DeviceFactory, group: bool
) -> None:
    """By the policy of its own enrollment or its group's."""
    device = make("lamp", group=group, issue=True)
    assignment = await provision(emulator, device, issue=aiodps.KeySpec())

    assert assignment.issued is not None


@pytest.mark.anyio
async def test_a_device_that_is_not_enrolled_is_refused(
    emulator: RunningEmulator, make: DeviceFactory
) -> None:
    """The fixtures' CA alone lets nobody in."""
    with pytest.raises(aiodps.UnauthorizedError):
        await provision(emulator, make(enrolled=False))


@pytest.mark.anyio
async def test_members_of_the_enrollment_are_the_services(
    emulator: RunningEmulator, make: DeviceFactory
) -> None:
    """What the service API takes can be said of an enrollment and of a group."""
    named = make(enrollment={"deviceId": "lamp-at-hub"})
    assert (await provision(emulator, named)).device_id == "lamp-at-hub"

    disabled = make(group=True, enrollment={"provisioningStatus": "disabled"})
    with pytest.raises(aiodps.RegistrationDisabledError):
        await provision(emulator, disabled)


@pytest.mark.anyio
async def test_it_misbehaves_on_demand(emulator: RunningEmulator, make: DeviceFactory) -> None:
    """From now on, until it is told otherwise."""
    emulator.misbehave(
        '[[rule]]\noperation = "register"\nstatus = 503\nretry_after = 0\nfirst = 1'
    )
    await provision(emulator, make("lamp"))
    assert emulator.register_requests("lamp") == 2

    emulator.misbehave("")
    await provision(emulator, make("other-lamp"))
    assert emulator.register_requests("other-lamp") == 1


def test_the_service_api_can_be_reached(emulator: RunningEmulator) -> None:
    """With the owner's key."""
    start = f"HostName={emulator.host}:{emulator.https_port};SharedAccessKeyName="

    assert emulator.connection_string.startswith(start)


def test_an_individual_key_is_the_enrollments(
    emulator: RunningEmulator, make: DeviceFactory
) -> None:
    """The enrollment knows the device's key."""
    device = make("lamp", attestation="symmetric_key")
    enrollment: Any = emulator.call(
        lambda emulator: emulator.service.enrollments.individual("lamp")
    )

    assert enrollment.attestation.primary == device.symmetric_key
    assert str(device.symmetric_key) not in repr(device)
    assert device.symmetric_key_file is not None
    assert device.symmetric_key_file.read_text(encoding="utf-8") == device.symmetric_key
    assert stat.S_IMODE(device.symmetric_key_file.stat().st_mode) == 0o600


def test_a_derived_key_comes_from_the_groups(
    emulator: RunningEmulator, make: DeviceFactory
) -> None:
    """Two devices of a group have keys of their own, derived from one."""
    one, other = (make(attestation="symmetric_key", group=True) for _ in range(2))
    group: Any = emulator.call(
        lambda emulator: emulator.service.enrollments.group("symmetric_key_group")
    )
    key = group.attestation.primary

    assert one.symmetric_key == testing.derived_key(key, one.registration_id)
    assert other.symmetric_key == testing.derived_key(key, other.registration_id)


def test_derivation_follows_the_published_vector() -> None:
    """Microsoft Learn, "Symmetric key attestation"."""
    group = (
        "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw=="
    )

    assert (
        testing.derived_key(group, "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6")
        == "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc="
    )


def test_keys_are_long_and_new(make: DeviceFactory) -> None:
    """64 random bytes, as the service makes them."""
    keys = {make(attestation="symmetric_key").symmetric_key for _ in range(3)}

    assert len(keys) == 3
    assert {len(base64.b64decode(key or "")) for key in keys} == {64}


def test_a_private_key_is_the_owners_alone(make: DeviceFactory) -> None:
    """Clients that look at its mode take it."""
    path = make(key_type="rsa").key_file

    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_is_said(make: DeviceFactory, emulator: RunningEmulator) -> None:
    """Before anything happens, with the members named."""
    with pytest.raises(ConfigurationError, match="'password' is not an attestation"):
        make(attestation="password")  # type: ignore[arg-type]

    with pytest.raises(ConfigurationError, match="by a group"):
        make(attestation="tpm", group=True)

    with pytest.raises(ConfigurationError, match="attestation"):
        emulator.enroll({"registrationId": "lamp"})


def test_nothing_is_left(ca: Authority, tmp_path: Path) -> None:
    """No thread and no socket."""
    with nothing_left(), testing.running(ca=ca, directory=tmp_path):
        pass
