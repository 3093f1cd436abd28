"""Microsoft's clients of the service API, unmodified: all see the same story."""

from __future__ import annotations

import pytest
from tests.interop.harness import Client, tell

pytestmark = pytest.mark.interop
CLIENTS = [
    Client(
        command=("azure_iot_deviceprovisioning.py", "sync"),
        environment="azure-iot-deviceprovisioning",
    ),
    Client(
        command=("azure_iot_deviceprovisioning.py", "aio"),
        environment="azure-iot-deviceprovisioning",
    ),
    Client(
        command=("azure_iothub_provisioningserviceclient.py",),
        environment="azure-iothub-provisioningserviceclient",
    ),
    Client(command=("node_service.js",), environment="node", fixed_ports=True),
]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.command[0] + str(client))
def test_enrollments_are_administered(client: Client) -> None:
    """Made, read, changed with an etag, queried by pages, deleted; and nobody else may."""
    assert tell(client) == {
        "made": "enabled",
        "key in a plain read": False,
        "length of its key": 88,
        "changed": "disabled",
        "changed too late": 412,
        "subject of the group": "CN=a root to prove",
        "bulk": True,
        "pages": [1, 2],
        "enrollments": ["one", "three", "two"],
        "device": "assigned",
        "devices of its group": ["registered"],
        "device deleted": 404,
        "deleted": 404,
        "group deleted": 404,
        "wrong key": 401,
    }
