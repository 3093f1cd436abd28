"""Microsoft's rules: refused by the hub, or half an hour without it; in whatever form it says so."""

from __future__ import annotations

import httpx
import pytest
from aiomqtt import MqttCodeError
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from aiodps import errors, should_reprovision
from aiodps.assignments.reprovision import HUB_GIVEN_UP


def http(status: int) -> httpx.HTTPStatusError:
    """Make the error of an HTTP client."""
    request = httpx.Request("POST", "https://hub.azure-devices.net")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status))


def refused(identifier: int) -> MqttConnectError:
    """Make the error of aiomqtt, with a reason as paho has it."""
    return MqttConnectError(ReasonCode(PacketTypes.CONNACK, identifier=identifier))


@pytest.mark.parametrize(
    "error",
    [401, 403, 404, 4, 5, http(404), refused(134), refused(135), MqttConnectError(5)],
    ids=repr,
)
def test_a_refusal(error: BaseException | int) -> None:
    """The device registers at once."""
    assert should_reprovision(error)


@pytest.mark.parametrize(
    "error",
    [
        *(400, 429, 500, 503, 1, 2, 3, http(503), refused(136), MqttConnectError(3)),
        MqttCodeError(4),  # paho's MQTT_ERR_NO_CONN
        MqttCodeError(None),
        TimeoutError(),
        OSError("no such name"),
        errors.UnauthorizedError("DPS says no", status_code=401),
    ],
    ids=repr,
)
def test_anything_else(error: BaseException | int) -> None:
    """The device tries the same hub for half an hour."""
    assert not should_reprovision(error)
    assert not should_reprovision(error, failing_for=HUB_GIVEN_UP - 1)
    assert should_reprovision(error, failing_for=HUB_GIVEN_UP)
