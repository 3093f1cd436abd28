"""From register to assigned, on real sockets with real TLS, each way into the service."""

from __future__ import annotations

import json
import logging
import ssl
import traceback
from collections.abc import Callable
from pathlib import Path

import anyio
import httpx
import pytest
from tests.certificates import certify, intermediate, write
from tests.emulated import DEVICES, QUICK, attestation, client, emulator
from tests.virtual_time import ASYNCIO, TRIO, jump

import aiodps
from aiodps import errors
from aiodps.attestation.memory_file import as_file
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


async def test_a_refusal_repeats_what_is_odd_about_the_certificate() -> None:
    """A hole in the chain is no error before anything is sent, and the reason of most refusals."""
    device = intermediate().intermediate("deep").device("deep-1")
    pem = device.certificate_pem + intermediate().certificate_pem
    odd = aiodps.X509.from_bytes(certificate=pem, private_key=device.private_key_pem)
    async with emulator() as dps:
        with pytest.raises(errors.UnauthorizedError) as caught:
            await client(dps, "rest").provision(attestation=odd)

    assert "the chain has a hole: 'CN=deep-1' was issued by 'CN=deep'" in caught.value.hint


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


@BOTH
async def test_wrong_id_scope(transport: str) -> None:
    """An id scope that names no instance is told by the service."""
    async with emulator() as dps:
        wrong = client(dps, transport, id_scope="0neFFFFFFFF")
        with anyio.fail_after(PATIENCE), pytest.raises(errors.ServiceError):
            await wrong.provision(attestation=attestation(DEVICES["root"]))


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


@BOTH
async def test_callers_context(transport: str) -> None:
    """A context of the caller's is used as it is, and needs the registration id."""
    async with emulator() as dps:
        context = ssl.create_default_context(cadata=dps.ca_pem.decode())
        device = DEVICES["root"]
        with as_file(device.chain_pem + device.private_key_pem) as path:
            context.load_cert_chain(path)

        ready = aiodps.X509.from_context(context)
        plain = client(dps, transport, trust=None)
        assignment = await plain.provision(attestation=ready, registration_id=device.name)
        with pytest.raises(errors.ConfigurationError) as nameless:
            await plain.provision(attestation=ready)

        with pytest.raises(errors.ConfigurationError) as double:
            await client(dps, transport).provision(attestation=ready, registration_id=device.name)

    assert assignment.device_id == device.name
    assert nameless.value.setting == "registration_id"
    assert double.value.setting == "trust"


@QUIET
async def test_everything_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`await aiodps.provision()` with nothing but AIODPS_* around it."""
    chain, key = write(DEVICES["root"], tmp_path)
    async with emulator() as dps:
        (tmp_path / "ca.pem").write_bytes(dps.ca_pem)
        for name, value in {
            "ID_SCOPE": dps.id_scope,
            "ENDPOINT": dps.host,
            "PORT": str(dps.mqtt_port),
            "TRUST": str(tmp_path / "ca.pem"),
            "CERTIFICATE": str(chain),
            "PRIVATE_KEY": str(key),
            "TRANSPORT": "mqtt",
        }.items():
            monkeypatch.setenv(f"AIODPS_{name}", value)

        assignment = await aiodps.provision(retry=QUICK)

    assert (assignment.device_id, assignment.transport) == ("by-root-1", "mqtt")


async def test_auto_at_a_port() -> None:
    """At a port of one's own nothing can race: `auto` is mqtt, unless it is that of https."""
    async with emulator() as dps:
        assignment = await client(dps, "auto", port=dps.mqtt_port).provision(
            attestation=attestation(DEVICES["root"])
        )

    assert assignment.transport == "mqtt"


@QUIET
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


def test_no_id_scope() -> None:
    """The id scope is the one setting without a default."""
    with pytest.raises(errors.ConfigurationError) as caught:
        aiodps.ProvisioningClient()

    assert caught.value.setting == "id_scope"


@BOTH
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


def test_repr() -> None:
    """A client shows where it goes."""
    shown = repr(aiodps.ProvisioningClient(id_scope="0ne00000000"))

    assert "global.azure-devices-provisioning.net" in shown


def test_public_names() -> None:
    """What can be imported from the top is listed, sorted, and nothing else."""
    assert set(aiodps.__all__) <= set(dir(aiodps))
    assert len(set(aiodps.__all__)) == len(aiodps.__all__)
