"""Several credentials in order: the next is tried if one is refused for what it is, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.attestation_kinds import KINDS, Made, client_of
from tests.certificates import expired, root
from tests.emulated import attestation

import aiodps
from aiodps import errors, testing
from aiodps.attestation.base import Attestation
from aiodps.testing import RunningEmulator

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

TRANSPORTS = pytest.mark.parametrize("transport", ["rest", "mqtt"])


@pytest.fixture(scope="module")
def dps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One emulator for all, in a thread."""
    with testing.running(ca=root(), directory=tmp_path_factory.mktemp("dps")) as running:
        yield running


@pytest.fixture
def anyio_backend() -> str:
    """What is tried next does not depend on the event loop, and MQTT needs this one."""
    return "asyncio"


def made(dps: RunningEmulator, kind: str, name: str, **more: Any) -> Made:
    """Make a device and enroll it."""
    device = KINDS[kind].make(name, "individual")
    dps.enroll({"registrationId": name, "attestation": device.mechanism, **more})
    dps.misbehave("")
    return device


async def provision(
    dps: RunningEmulator, transport: str, *credentials: Attestation
) -> tuple[aiodps.Assignment, list[str]]:
    """Provision a device; return its assignment, and what was said of its credentials."""
    told: list[str] = []
    client = client_of(dps, transport)

    def hear(step: aiodps.Step) -> None:
        if step.kind is aiodps.StepKind.REAUTHENTICATED:
            told.append(step.text)

    return await client.provision(attestation=credentials, on_step=hear), told


@TRANSPORTS
@pytest.mark.parametrize("kind", ["X.509", "symmetric key"])
@pytest.mark.parametrize("other", ["X.509", "symmetric key"])
async def test_the_next_is_tried(
    dps: RunningEmulator, transport: str, kind: str, other: str
) -> None:
    """Whatever the first is; one register request for each that is tried, and none for the rest."""
    name = f"{transport}-{kind}-{other}".replace(" ", "-")
    enrolled = made(dps, other, name)
    wrong = KINDS[kind].make(name, "individual").wrong
    assignment, told = await provision(dps, transport, wrong, enrolled.right, wrong)

    assert assignment.credential == 1
    assert told == ["credential 1"]
    assert dps.register_requests(name) == 2


@TRANSPORTS
async def test_the_first_is_enough(dps: RunningEmulator, transport: str) -> None:
    """The others cost nothing."""
    name = f"first-{transport}"
    device = made(dps, "symmetric key", name)
    assignment, told = await provision(dps, transport, device.right, device.wrong)

    assert (assignment.credential, told) == (0, [])
    assert dps.register_requests(name) == 1


@TRANSPORTS
async def test_all_are_refused(dps: RunningEmulator, transport: str) -> None:
    """The last refusal is raised, after one register request for each."""
    name = f"all-{transport}"
    device = made(dps, "symmetric key", name)
    with pytest.raises(errors.UnauthorizedError) as caught:
        await provision(dps, transport, device.wrong, device.wrong, device.wrong)

    assert caught.value.attempts == 3
    assert dps.register_requests(name) == 3


@TRANSPORTS
@pytest.mark.parametrize("primary", [True, False], ids=["primary", "secondary"])
async def test_both_keys_of_an_enrollment(
    dps: RunningEmulator, transport: str, primary: bool
) -> None:
    """While keys are rolled over, the enrollment has the new one and the old."""
    name = f"rolled-{transport}-{primary}"
    old, new = (KINDS["symmetric key"].make(name, "individual") for _ in range(2))
    keys = [each.mechanism["symmetricKey"]["primaryKey"] for each in (old, new)]
    pair = dict(zip(("primaryKey", "secondaryKey"), keys if primary else keys[::-1], strict=True))
    mechanism = {"type": "symmetricKey", "symmetricKey": pair}
    dps.enroll({"registrationId": name, "attestation": mechanism})
    for device in (old, new):
        assignment, _ = await provision(dps, transport, device.right)
        assert assignment.credential == 0


@TRANSPORTS
async def test_both_certificates_of_an_enrollment(dps: RunningEmulator, transport: str) -> None:
    """Likewise."""
    name = f"certificates-{transport}"
    old, new = (root().device(name) for _ in range(2))
    pair = {
        member: {"certificate": each.certificate_pem.decode()}
        for member, each in (("primary", old), ("secondary", new))
    }
    mechanism = {"type": "x509", "x509": {"clientCertificates": pair}}
    dps.enroll({"registrationId": name, "attestation": mechanism})
    for credential in (old, new):
        assignment, _ = await provision(dps, transport, attestation(credential))
        assert assignment.credential == 0


@TRANSPORTS
async def test_a_certificate_that_has_expired(dps: RunningEmulator, transport: str) -> None:
    """It is left out before anything is sent."""
    name = f"expired-{transport}"
    device = made(dps, "symmetric key", name)
    assignment, told = await provision(dps, transport, attestation(expired(name)), device.right)

    assert (assignment.credential, told) == (1, [])
    assert dps.register_requests(name) == 1


FAULTS = {
    "disabled": ("", errors.RegistrationDisabledError, 1),
    "no hub": ("status = 401\nerror_code = 401001", errors.UnauthorizedError, 1),
    "forbidden": ("status = 403\nerror_code = 403000", errors.ForbiddenError, 1),
    "bad request": ("status = 400\nerror_code = 400012", errors.BadRequestError, 1),
    "failed": ("failed = true", errors.RegistrationFailedError, 1),
}


@TRANSPORTS
@pytest.mark.parametrize("fault", FAULTS)
async def test_the_next_is_not_tried(dps: RunningEmulator, transport: str, fault: str) -> None:
    """If something else is wrong, another credential would be no better."""
    rule, kind, registers = FAULTS[fault]
    name = f"not-{fault.replace(' ', '-')}-{transport}"
    status = {"provisioningStatus": "disabled"} if fault == "disabled" else {}
    device = made(dps, "symmetric key", name, **status)
    operation = "operation status" if fault == "failed" else "register"
    if rule:
        dps.misbehave(f'[[rule]]\noperation = "{operation}"\n{rule}')

    sent: list[aiodps.StepKind] = []
    with pytest.raises(kind):
        await client_of(dps, transport).provision(
            attestation=[device.right, device.right], on_step=lambda step: sent.append(step.kind)
        )

    dps.misbehave("")
    assert sent.count(aiodps.StepKind.REGISTERING) == registers
    assert aiodps.StepKind.REAUTHENTICATED not in sent
