"""Microsoft's azure-iot-provisioning-device for Node.js, unmodified, over all but AMQP."""

from __future__ import annotations

from typing import Any

import pytest
from tests.interop import matrix
from tests.interop.harness import Client, check
from tests.interop.matrix import Refusal

pytestmark = pytest.mark.interop
WORDS = {Refusal.UNAUTHORIZED: "UnauthorizedError", Refusal.DISABLED: "status is disabled"}
BUSY = """
    [[rule]]
    name = "busy"
    operation = ["register", "operation status"]
    first = 1
    status = 503
    retry_after = 1
"""


def client(transport: str, **emulator: Any) -> Client:
    """Name a way of using it, and the emulator it is tried against."""
    return Client(
        command=("node_device.js", transport),
        environment="node",
        fixed_ports=True,
        says=WORDS,
        emulator=tuple(emulator.items()),
    )


CLIENTS = [
    client("http"),
    client("mqtt"),
    client("mqtt-ws"),
    client("mqtt-ws", harsh=True),
    client("mqtt", faults=BUSY),
]


@pytest.mark.parametrize("device", matrix.NAMES)
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_each_device(client: Client, device: str) -> None:
    """It is assigned where it belongs, or refused in words that this client understands."""
    check(client, device)
