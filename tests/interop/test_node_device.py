"""Microsoft's azure-iot-provisioning-device for Node.js, unmodified, over all but AMQP."""

from __future__ import annotations

import pytest
from tests.interop import matrix
from tests.interop.harness import Client, check
from tests.interop.matrix import Refusal

pytestmark = pytest.mark.interop
WORDS = {Refusal.UNAUTHORIZED: "UnauthorizedError", Refusal.DISABLED: "status is disabled"}
CLIENTS = [
    Client(
        command=("node_device.js", transport), environment="node", fixed_ports=True, words=WORDS
    )
    for transport in ("http", "mqtt", "mqtt-ws")
]


@pytest.mark.parametrize("device", matrix.NAMES)
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_each_device(client: Client, device: str) -> None:
    """It is assigned where it belongs, or refused in words that this client understands."""
    check(client, device)
