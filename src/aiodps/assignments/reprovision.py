"""When a device whose hub does not let it in has to register again.

Source: Microsoft Learn, "Best practices for large-scale IoT device deployments" (August 2025): a
hub that answers 401, 403 or 404 means a full registration, one that answers 5xx means another try
with what is stored; a device that is disconnected tries the same hub for 15 to 30 minutes first.
An example on the same page registers after 429 and 5xx as well, which its text does not.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from aiomqtt import MqttCodeError
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from aiodps.errors import ProvisioningError

HUB_GIVEN_UP: Final = 30 * 60.0
"""Seconds without the hub after which a device registers again: the upper end of what Microsoft
says, because a hub that is down has all its devices register, and each register is billed."""

_REFUSED: Final = frozenset(
    {
        *(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
        *(4, 5),  # CONNACK of MQTT 3.1.1: bad user name or password, not authorized
        *(134, 135),  # the same in MQTT 5, and as paho names those of MQTT 3.1.1
    }
)


def should_reprovision(error: BaseException | int, *, failing_for: float = 0.0) -> bool:
    """Return whether to register again (`provision(force=True)`) after the hub failed.

    True if the hub refuses the device (HTTP 401, 403, 404; CONNACK 4, 5), or if it has not been
    reached for half an hour. The rules are Microsoft's; that CONNACK 4 and 5 are the 401 of MQTT
    is a conclusion. The function keeps no state. Wait longer before each call, because a device
    that is disabled at its hub is refused again after it has registered.

    Args:
        error: What ended the connection to the hub: an exception of aiomqtt, or of an HTTP
            client whose response has a `status_code`; or the code of HTTP or CONNACK itself. Any
            other exception means that the hub was not reached. An error of aiodps comes from DPS,
            so it is not a refusal of the hub.
        failing_for: Seconds since the device was last connected to its hub.
    """
    return _code(error) in _REFUSED or failing_for >= HUB_GIVEN_UP


def _code(error: BaseException | int) -> int | None:
    match error:
        case int():
            return error
        case MqttCodeError(rc=ReasonCode() as reason):
            return int(reason.value)
        case MqttConnectError(rc=int(code)):  # of the other errors, it is paho's own number
            return code
        case ProvisioningError():
            return None
        case _:
            status: object = getattr(getattr(error, "response", error), "status_code", None)
            return status if isinstance(status, int) else None
