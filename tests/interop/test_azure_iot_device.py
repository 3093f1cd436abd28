"""Microsoft's azure-iot-device, unmodified: blocking and asynchronous, over MQTT and WebSocket."""

from __future__ import annotations

import pytest
from tests.interop import matrix
from tests.interop.harness import Client, check
from tests.interop.matrix import Refusal

pytestmark = pytest.mark.interop
WORDS = {
    Refusal.UNAUTHORIZED: "register request returned a service error status code 401",
    Refusal.DISABLED: "invalid registration status disabled",
}
CLIENTS = [
    Client(
        command=("azure_iot_device.py", style, transport),
        environment="azure-iot-device",
        fixed_ports=True,
        words=WORDS,
    )
    for style in ("sync", "aio")
    for transport in ("tcp", "websocket")
]


@pytest.mark.parametrize("device", matrix.NAMES)
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_each_device(client: Client, device: str) -> None:
    """It is assigned where it belongs, or refused in words that this client understands."""
    check(client, device)
