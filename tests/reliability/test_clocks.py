"""A device whose clock is wrong: one more token, for the clock of the service, and a hint."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.certificates import root
from tests.emulated import QUICK
from tests.sas_vectors import C_KEY

import aiodps
from aiodps import errors, testing
from aiodps.emulator.service.authentication.sas import SharedAccessSignature, decode_key
from aiodps.testing import RunningEmulator

pytestmark = pytest.mark.anyio

DAY = 86400.0


class Service(httpx.AsyncBaseTransport):
    """A service that takes tokens which are valid by its clock, for at most a day."""

    def __init__(self, *, ahead: float, key: str = C_KEY) -> None:
        self.ahead = ahead
        self.key = decode_key(key)
        self.requests: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Assign a device whose token is right."""
        self.requests.append(request.method)
        now = time.time() + self.ahead
        token = SharedAccessSignature.read(request.headers["authorization"])
        headers = {"Date": email.utils.formatdate(now, usegmt=True)}
        if now < token.expiry < now + DAY and token.is_signed_with([self.key]):
            state = {"deviceId": "dev-1", "assignedHub": "h.azure-devices.net"}
            body = {"operationId": "4.1", "status": "assigned", "registrationState": state}
            return httpx.Response(200, json=body, headers=headers)

        return httpx.Response(401, json={"errorCode": 401002, "message": "no"}, headers=headers)


async def provision(service: Service) -> aiodps.Assignment:
    """Provision a device with a symmetric key."""
    return await aiodps.provision(
        id_scope="0ne00000000",
        attestation=aiodps.SymmetricKey(registration_id="dev-1", key=C_KEY),
        transport=aiodps.REST(http_transport=service),
        retry=QUICK,
    )


@pytest.mark.parametrize("ahead", [10 * DAY, -10 * DAY, 600.0, -DAY])
async def test_one_more_token_for_the_clock_of_the_service(ahead: float) -> None:
    """The first is refused, as expired or as too long-lived, and the second is accepted."""
    service = Service(ahead=ahead)
    assignment = await provision(service)

    assert assignment.device_id == "dev-1"
    assert service.requests == ["PUT", "PUT"]


@pytest.mark.parametrize("ahead", [0.0, 290.0])
async def test_clocks_that_agree(ahead: float) -> None:
    """Nothing is refused while clocks differ by less than five minutes."""
    service = Service(ahead=ahead)
    await provision(service)

    assert service.requests == ["PUT"]


async def test_a_wrong_key_and_a_wrong_clock() -> None:
    """Once more, and then the hint shows both clocks."""
    service = Service(ahead=DAY, key="c29tZW90aGVya2V5Li4u")
    with pytest.raises(errors.UnauthorizedError) as caught:
        await provision(service)

    assert service.requests == ["PUT", "PUT"]
    assert caught.value.attempts == 2
    assert "set the device's clock: it is " in caught.value.hint
    assert " at the service" in caught.value.hint


@pytest.fixture
def dps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """An emulator in a thread, with one device."""
    with testing.running(ca=root(), directory=tmp_path_factory.mktemp("dps")) as running:
        keys = {"type": "symmetricKey", "symmetricKey": {"primaryKey": C_KEY}}
        running.enroll({"registrationId": "dev-1", "attestation": keys})
        yield running


@pytest.mark.sockets
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_over_mqtt_the_error_says_what_time_it_is(dps: RunningEmulator) -> None:
    """There is no `Date`, and the session that was refused is not used again."""
    timestamp = {"timestampUtc": "2099-01-01T00:00:00.1234567Z"}
    dps.misbehave(
        f'[[rule]]\noperation = "register"\nfirst = 1\nstatus = 401\nerror_code = 401000\n'
        f"members = {json.dumps(timestamp).replace(':', '=', 1)}"
    )
    kinds: list[aiodps.StepKind] = []
    await aiodps.provision(
        id_scope=dps.id_scope,
        endpoint=dps.host,
        transport=aiodps.MQTT(port=dps.mqtt_port),
        trust=dps.ca_pem,
        attestation=aiodps.SymmetricKey(registration_id="dev-1", key=C_KEY),
        retry=QUICK,
        on_step=lambda step: kinds.append(step.kind),
    )

    assert kinds.count(aiodps.StepKind.SESSION_OPENED) == 2
    assert kinds.count(aiodps.StepKind.REGISTERING) == 2
    assert kinds.count(aiodps.StepKind.REAUTHENTICATED) == 1
