"""A registration against the emulator: deadlines, operations of before, and what is masked."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable

import httpx
import pytest
from tests.emulated import DEVICES, PATIENCE, attestation, client, emulator
from tests.virtual_time import ASYNCIO, TRIO, jump

import aiodps
from aiodps import errors

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

BOTH_JUMPING = pytest.mark.parametrize(
    ("transport", "anyio_backend"),
    [
        pytest.param("rest", *ASYNCIO.values, id="rest-asyncio"),
        pytest.param("rest", *TRIO.values, id="rest-trio"),
        pytest.param("mqtt", *ASYNCIO.values, id="mqtt-asyncio"),
    ],
    indirect=["anyio_backend"],
)
"""Waits for longer than there is time: whatever is not assigned at once ends in a time-out."""


def time_out_at(kind: aiodps.StepKind, timeout: float) -> Callable[[aiodps.Step], None]:
    """Make an observer of steps that lets a client's time pass at a certain one."""

    def observe(step: aiodps.Step) -> None:
        if step.kind is kind:
            jump(timeout)

    return observe


@BOTH_JUMPING
async def test_an_operation_of_before_is_taken_up(transport: str) -> None:
    """Another process's operation is polled: one register in all, by whichever transport."""
    steps: list[aiodps.Step] = []
    async with emulator() as dps:
        device = attestation(DEVICES["root"])
        with pytest.raises(errors.ProvisioningTimeoutError) as caught:
            await client(dps, transport, timeout=PATIENCE).provision(
                attestation=device, on_step=time_out_at(aiodps.StepKind.ACCEPTED, PATIENCE)
            )

        assert caught.value.operation_id is not None
        assignment = await client(dps, transport).provision(
            attestation=device, operation_id=caught.value.operation_id, on_step=steps.append
        )

    assert assignment.device_id == "by-root-1"
    assert dps.counts.register_requests == {"by-root-1": 1}
    assert aiodps.StepKind.REGISTERING not in {step.kind for step in steps}


@BOTH_JUMPING
async def test_deadline(transport: str) -> None:
    """A service that takes longer than there is time ends in a time-out that knows the status."""
    async with emulator(assign_after=3600) as dps:
        hurried = client(dps, transport, timeout=PATIENCE)
        with pytest.raises(errors.ProvisioningTimeoutError) as caught:
            await hurried.provision(
                attestation=attestation(DEVICES["root"]),
                on_step=time_out_at(aiodps.StepKind.ASSIGNING, PATIENCE),
            )

    assert caught.value.last_status is aiodps.RegistrationStatus.ASSIGNING
    assert caught.value.operation_id


@pytest.mark.parametrize(
    ("transport", "anyio_backend"),
    [("rest", "asyncio"), ("rest", "trio"), ("mqtt", "asyncio")],
)
async def test_nothing_secret_in_the_log(transport: str, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, of all loggers, no key, payload or password is in the log."""
    caplog.set_level(logging.DEBUG)
    device = DEVICES["root"]
    async with emulator() as dps:
        steps: list[aiodps.Step] = []
        await client(dps, transport).provision(
            attestation=attestation(device), payload={"wifi": "canary"}, on_step=steps.append
        )

    log = "\n".join(record.getMessage() for record in caplog.records)
    told = "\n".join(f"{step!r} {step.text}" for step in steps)
    secret = device.private_key_pem.splitlines()[1].decode()
    assert "aiodps.registration" in {record.name for record in caplog.records}
    assert not any(mark in text for mark in ("canary", secret) for text in (log, told))


QUOTED_VALUE = "correct horse"
QUOTED = [
    pytest.param(
        httpx.Response(400, json={"message": f"bad payload: {QUOTED_VALUE}"}), id="message"
    ),
    pytest.param(httpx.Response(400, json={"message": "x" * 503 + QUOTED_VALUE}), id="cut"),
    pytest.param(httpx.Response(400, json={"trackingId": QUOTED_VALUE}), id="tracking-id"),
    pytest.param(httpx.Response(400, headers={"x-ms-request-id": QUOTED_VALUE}), id="request-id"),
    pytest.param(httpx.Response(400, json={"echo": [{"wifi": QUOTED_VALUE}]}), id="other-member"),
    pytest.param(
        httpx.Response(400, json={"echo": json.dumps({"wifi": QUOTED_VALUE})}), id="json-in-json"
    ),
    pytest.param(httpx.Response(400, headers={"x-echo": QUOTED_VALUE}), id="header"),
    pytest.param(
        httpx.Response(
            200, json={"status": "failed", "registrationState": {"errorMessage": QUOTED_VALUE}}
        ),
        id="failed",
    ),
    pytest.param(httpx.Response(200, json={"status": QUOTED_VALUE}), id="status"),
    pytest.param(
        httpx.Response(
            200,
            json={
                "status": "assigned",
                "registrationState": {"deviceId": "d", "assignedHub": QUOTED_VALUE},
            },
        ),
        id="hub",
    ),
    pytest.param(
        httpx.Response(
            200, json={"status": "assigned", "registrationState": {"registrationId": QUOTED_VALUE}}
        ),
        id="registration-id",
    ),
]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("response", QUOTED)
async def test_a_payload_that_the_service_quotes_is_masked(
    response: httpx.Response, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever it does: in errors, steps, logs and tracebacks."""
    caplog.set_level(logging.DEBUG)
    mock = httpx.MockTransport(lambda _: response)
    steps: list[aiodps.Step] = []
    with pytest.raises(errors.ProvisioningError) as caught:
        await aiodps.provision(
            id_scope="0ne00000000",
            attestation=attestation(DEVICES["root"]),
            transport=aiodps.REST(http_transport=mock),
            payload={"wifi": QUOTED_VALUE},
            retry=aiodps.RetryPolicy(max_failures=1),
            on_step=steps.append,
        )

    error = caught.value
    texts = [
        str(error),
        repr(error),
        json.dumps(error.facts()),
        *traceback.format_exception(error),
    ]
    texts += [record.getMessage() for record in caplog.records]
    texts += [f"{step!r} {step.text}" for step in steps]
    assert not [text for text in texts if QUOTED_VALUE in text or QUOTED_VALUE[:9] in text]
    assert any("***" in text for text in texts)
