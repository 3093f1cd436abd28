"""libmosquitto without any SDK, as Microsoft's articles use MQTT."""

from __future__ import annotations

import pytest
from tests.interop import matrix
from tests.interop.harness import Client, check
from tests.interop.matrix import Refusal

pytestmark = pytest.mark.interop
WORDS = {Refusal.UNAUTHORIZED: "res/401", Refusal.DISABLED: "'status': 'disabled'"}
CLIENTS = [
    Client(command=("mosquitto_device.py",), says=WORDS),
    Client(command=("mosquitto_device.py",), says=WORDS, emulator=(("strict", True),)),
]


@pytest.mark.parametrize("device", matrix.NAMES)
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_each_device(client: Client, device: str) -> None:
    """It is assigned where it belongs, or refused in the service's words."""
    check(client, device)
