"""An MQTT 3.1.1 client without any SDK, as the published articles do it, against the emulator."""

from __future__ import annotations

import json
import queue
import ssl
from typing import Any

import pytest
from anyio import to_thread
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from tests import certificates
from tests.emulator.clients import PATIENCE, SCOPE, client_context, device, running

from aiodps.emulator import Emulator
from aiodps.pki import Credential

pytestmark = pytest.mark.anyio
NAMES = "$dps/registrations"


def provision(dps: Emulator, credential: Credential, *, qos: int) -> list[tuple[str, Any]]:
    """Register and ask once; return topics and bodies of the answers."""
    answers: queue.Queue[tuple[str, Any]] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="device-1", protocol=paho.MQTTv311)
    client.username_pw_set(f"{SCOPE}/registrations/device-1/api-version=2019-03-31")
    context = client_context(dps, credential)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    client.tls_set_context(context)
    client.on_connect = lambda client, *_: client.subscribe(f"{NAMES}/res/#", 1)
    client.on_subscribe = lambda client, *_: client.publish(
        f"{NAMES}/PUT/iotdps-register/?$rid=1", '{"registrationId": "device-1"}', qos=qos
    )
    client.on_message = lambda _client, _data, message: answers.put(
        (message.topic, json.loads(message.payload))
    )
    client.connect("localhost", dps.mqtt_port)
    client.loop_start()
    try:
        topic, accepted = answers.get(timeout=PATIENCE)
        if "operationId" not in accepted:
            return [(topic, accepted)]

        path = f"{NAMES}/GET/iotdps-get-operationstatus/"
        client.publish(f"{path}?$rid=2&operationId={accepted['operationId']}", qos=qos)
        return [(topic, accepted), answers.get(timeout=PATIENCE)]
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize("qos", [0, 1])
async def test_a_device_is_provisioned(qos: int) -> None:
    """Subscribe, register, ask, assigned."""
    async with running() as dps:
        first, last = await to_thread.run_sync(lambda: provision(dps, device(), qos=qos))

        assert first[0] == f"{NAMES}/res/202/?$rid=1&retry-after=3"
        assert last[0] == f"{NAMES}/res/200/?$rid=2"
        assert last[1]["status"] == "assigned"
        assert last[1]["registrationState"]["deviceId"] == "device-1"


async def test_a_device_of_another_root_is_refused() -> None:
    """On the topic of the answer, not at CONNECT."""
    async with running() as dps:
        stranger = certificates.unknown_root()
        ((topic, error),) = await to_thread.run_sync(lambda: provision(dps, stranger, qos=1))

        assert topic == f"{NAMES}/res/401/?$rid=1"
        assert error["errorCode"] // 1000 == 401
