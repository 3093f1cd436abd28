"""A device is issued a certificate over both transports, in the forms of real clients."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.emulated import SCOPE, device, fleet, running
from tests.emulator.service.issuance.requests import POLICY, chain, csr, device_key
from tests.scripted_client import REGISTER, http, mqtt, mqtt_connect, mqtt_publish, mqtt_subscribe

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
BASE = f"/{SCOPE}/registrations/device-1"
USER = f"{SCOPE}/registrations/device-1/api-version"
POLL = "$dps/registrations/GET/iotdps-get-operationstatus/"
ENROLLED = [replace(each, issuance=POLICY) for each in fleet()]


def check(body: dict[str, Any]) -> None:
    """Check that the device has a certificate for its key."""
    leaf, *above = chain(body)
    assert leaf.public_key() == device_key().public_key()
    assert len(above) == 2


async def test_over_https() -> None:
    """As the specification of 2026-11-01 writes it, with a payload."""
    body = json.dumps({"registrationId": "device-1", "csr": csr(), "payload": {"a": 1}}).encode()
    async with running(enrollments=ENROLLED) as dps, http(dps, device()) as client:
        accepted = await client.ask("PUT", f"{BASE}/register?api-version=2026-11-01", body)
        path = f"{BASE}/operations/{accepted.body['operationId']}?api-version=2026-11-01"
        done = await client.ask("GET", path)

        assert (accepted.status, accepted.body["status"]) == (202, "assigning")
        check(done.body)


@pytest.mark.parametrize(
    ("user", "body"),
    [
        pytest.param(
            f"{USER}=2025-07-01-preview&ClientVersion=azure-iot-device-provisioning%2F2.14.0",
            {"registrationId": "device-1", "csr": csr()},
            id="azure-iot-device",
        ),
        pytest.param(f"{USER}=2026-11-02-preview", {"csr": csr()}, id="azure-iot-sdk"),
    ],
)
async def test_over_mqtt(user: str, body: dict[str, Any]) -> None:
    """As the preview branch of Microsoft's Python client sends it, and as its new C client does."""
    packets = (
        mqtt_connect(user_name=user),
        mqtt_subscribe(),
        mqtt_publish(REGISTER, json.dumps(body).encode()),
    )
    async with running(enrollments=ENROLLED) as dps, mqtt(dps, device(), *packets) as client:
        for _ in ("CONNACK", "SUBACK", "PUBACK"):
            await client.take()

        _, accepted = await client.message()
        poll = f"{POLL}?$rid=2&operationId={accepted['operationId']}"
        await client.send(mqtt_publish(poll, b" "))
        await client.take()
        topic, done = await client.message()

        assert topic == "$dps/registrations/res/200/?$rid=2"
        check(done)
