"""Microsoft's azure-mgmt-iothubprovisioningservices, unmodified: proof of possession."""

from __future__ import annotations

import pytest
from tests.interop.harness import Client, tell

pytestmark = pytest.mark.interop
CLIENTS = [
    Client(
        command=("azure_mgmt.py", version),
        environment=f"azure-mgmt-iothubprovisioningservices-{version}",
    )
    for version in ("1", "2")
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
