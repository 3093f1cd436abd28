"""Microsoft's clients of the resource manager, unmodified: proof of possession."""

from __future__ import annotations

import pytest
from tests.interop.harness import Client, tell

pytestmark = pytest.mark.interop
CLIENTS = [
    Client(command=("azure_mgmt.py", "1"), environment="azure-mgmt-iothubprovisioningservices-1"),
    Client(command=("azure_mgmt.py", "2"), environment="azure-mgmt-iothubprovisioningservices-2"),
    Client(command=("node_mgmt.js",), environment="node"),
]


@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_possession_is_proved(client: Client) -> None:
    """Upload, code, a wrong proof, the right one; each call names the etag of the one before."""
    assert tell(client) == {
        "subject": "CN=a root to prove",
        "verified at first": False,
        "has dates": True,
        "wrong proof": 400,
        "verified": True,
        "listed": ["disabled", "my-root", "root"],
        "got": True,
        "deleted too late": 412,
        "deleted": 404,
    }
