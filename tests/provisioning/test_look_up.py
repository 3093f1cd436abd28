"""The look-up on real sockets with real TLS, on both event loops, and every way to authenticate."""

from __future__ import annotations

import base64
import json
import logging

import httpx
import pytest
from tests.attestation_kinds import keys, new_key
from tests.emulated import DEVICES, attestation, client, emulator

import aiodps
from aiodps import RegistrationStatus, StepKind, errors
from aiodps.emulator.service.enrollments.store import read_enrollments
from aiodps.tpm.software import SoftwareTpm

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
QUIET = pytest.mark.parametrize("anyio_backend", ["asyncio"])
DEVICE = attestation(DEVICES["root"])


async def test_before_and_after() -> None:
    """No record before the device has registered, then the assignment; no register request."""
    steps: list[aiodps.Step] = []
    async with emulator() as dps:
        asking = client(dps, "rest")
        with pytest.raises(errors.NotFoundError) as caught:
            await asking.registration_status(attestation=DEVICE)

        assignment = await asking.provision(attestation=DEVICE)
        record = await asking.registration_status(attestation=DEVICE, on_step=steps.append)

    assert (caught.value.error_code, caught.value.phase) == (404201, aiodps.Phase.POLL)
    assert (caught.value.attempts, caught.value.registration_id) == (1, "by-root-1")
    assert "provision the device" in caught.value.hint
    assert record.status is RegistrationStatus.ASSIGNED
    for name in ("device_id", "assigned_hub", "substatus", "etag", "created", "updated"):
        assert getattr(record, name) == getattr(assignment, name)

    assert dps.counts.register_requests == {"by-root-1": 1}
    assert [step.kind for step in steps][-5:] == [
        StepKind.LOOKING_UP,
        StepKind.SENT,
        StepKind.RECEIVED,
        StepKind.FOUND,
        StepKind.CLOSED,
    ]


@QUIET
async def test_what_is_sent() -> None:
    """REST reference 2021-10-01, RuntimeRegistration_DeviceRegistrationStatusLookup."""
    steps: list[aiodps.Step] = []
    async with emulator() as dps:
        asking = client(dps, "rest")
        await asking.provision(attestation=DEVICE, payload={"wifi": "canary"})
        await asking.registration_status(attestation=DEVICE, on_step=steps.append)

    sent = next(step.text for step in steps if step.kind is StepKind.SENT)
    assert sent == "\n".join(
        [
            f"POST /{dps.id_scope}/registrations/by-root-1?api-version=2021-10-01 HTTP/1.1",
            f"Host: {dps.host}:{dps.https_port}",
            "Accept: application/json",
            "Accept-Encoding: identity",
            f"User-Agent: aiodps/{aiodps.__version__}",
            "Content-Type: application/json; charset=utf-8",
            "Content-Length: 31",
            "",
            '{"registrationId": "by-root-1"}',
        ]
    )


@QUIET
@pytest.mark.parametrize(
    ("effect", "status", "code"),
    [
        ("assigning = true", RegistrationStatus.ASSIGNING, None),
        ("disabled = true", RegistrationStatus.DISABLED, None),
        ("failed = true\nerror_code = 400207", RegistrationStatus.FAILED, 400207),
    ],
)
async def test_every_status(effect: str, status: RegistrationStatus, code: int | None) -> None:
    """A registration that is not decided, or not as hoped, is a result."""
    async with emulator(faults=f'[[rule]]\noperation = "lookup"\n{effect}\n') as dps:
        asking = client(dps, "rest")
        await asking.provision(attestation=DEVICE)
        record = await asking.registration_status(attestation=DEVICE)

    assert (record.status, record.error_code, record.assigned_hub) == (status, code, None)


@QUIET
async def test_a_symmetric_key(caplog: pytest.LogCaptureFixture) -> None:
    """The second of two keys, after the first was refused; neither is shown, nor the payload."""
    caplog.set_level(logging.DEBUG)
    key, wrong = new_key(), new_key()
    enrollment = {"registrationId": "key-1", "attestation": keys(key)}
    ways = [aiodps.SymmetricKey(registration_id="key-1", key=each) for each in (wrong, key)]
    steps: list[aiodps.Step] = []
    async with emulator(enrollments=read_enrollments(json.dumps([enrollment]))) as dps:
        asking = client(dps, "rest")
        await asking.provision(attestation=ways[1], payload={"wifi": "canary"})
        record = await asking.registration_status(attestation=ways, on_step=steps.append)
        with pytest.raises(errors.UnauthorizedError) as refused:
            await asking.registration_status(attestation=ways[0])

    told = "\n".join([*caplog.messages, *(step.text for step in steps), str(refused.value)])
    assert record.device_id == "key-1"
    assert StepKind.REAUTHENTICATED in {step.kind for step in steps}
    assert not any(secret in told for secret in ("canary", key, wrong, "sig="))


@QUIET
async def test_a_tpm() -> None:
    """The keys are sent, as the specification has it; whether DPS challenges here is unknown."""
    tpm = SoftwareTpm()
    steps: list[aiodps.Step] = []
    ek = base64.b64encode(tpm.endorsement_key).decode()
    enrollment = {
        "registrationId": "tpm-1",
        "attestation": {"type": "tpm", "tpm": {"endorsementKey": ek}},
    }
    async with emulator(enrollments=read_enrollments(json.dumps([enrollment]))) as dps:
        with pytest.raises(errors.UnauthorizedError):
            await client(dps, "rest").registration_status(
                attestation=aiodps.Tpm(tpm, registration_id="tpm-1"), on_step=steps.append
            )

    assert any('"endorsementKey"' in step.text for step in steps if step.kind is StepKind.SENT)


async def test_throttled_once() -> None:
    """What passes is retried, and counted."""
    steps: list[aiodps.Step] = []
    rule = '[[rule]]\noperation = "lookup"\nstatus = 429\nfirst = 1\n'
    async with emulator(faults=rule) as dps:
        asking = client(dps, "rest")
        await asking.provision(attestation=DEVICE)
        record = await asking.registration_status(attestation=DEVICE, on_step=steps.append)

    assert record.status is RegistrationStatus.ASSIGNED
    assert [step.kind for step in steps].count(StepKind.RETRYING) == 1


@pytest.mark.parametrize("transport", ["mqtt", aiodps.MQTT()])
async def test_not_over_mqtt(transport: str | aiodps.MQTT) -> None:
    """MQTT has no look-up; this is told before anything is sent, on either event loop."""
    nowhere = aiodps.ProvisioningClient(id_scope="0ne00000000", transport=transport)
    with pytest.raises(errors.ConfigurationError) as caught:
        await nowhere.registration_status(attestation=DEVICE)

    assert (caught.value.setting, caught.value.registration_id) == ("transport", None)
    assert caught.value.phase is aiodps.Phase.CONFIGURATION


async def test_auto_is_rest() -> None:
    """The function, with a transport of its own; by default it is the one that has look-ups."""
    async with emulator() as dps:
        await client(dps, "rest").provision(attestation=DEVICE)
        record = await aiodps.registration_status(
            attestation=DEVICE,
            id_scope=dps.id_scope,
            endpoint=dps.host,
            port=dps.https_port,
            trust=dps.ca_pem,
        )

    assert record.transport == "rest"


@QUIET
async def test_no_answer() -> None:
    """A failure of the transport is told with the phase of the request that it belongs to."""

    def late(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    rest = aiodps.REST(http_transport=httpx.MockTransport(late))
    asking = aiodps.ProvisioningClient(
        id_scope="0ne00000000", transport=rest, retry=aiodps.RetryPolicy(max_failures=1)
    )
    with pytest.raises(errors.TransportError) as caught:
        await asking.registration_status(attestation=DEVICE)

    assert caught.value.phase is aiodps.Phase.POLL
