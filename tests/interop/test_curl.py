"""curl, as Microsoft's articles use it."""

from __future__ import annotations

import pytest
from tests.interop import matrix
from tests.interop.harness import Client, check
from tests.interop.matrix import Refusal

pytestmark = pytest.mark.processes
WORDS = {Refusal.UNAUTHORIZED: "HTTP 401", Refusal.DISABLED: "'status': 'disabled'"}
CLIENTS = [
    Client(command=("curl_device.sh", "--tlsv1.3"), says=WORDS),
    Client(command=("curl_device.sh", "--tls-max", "1.2"), says=WORDS),
]


@pytest.mark.parametrize("device", matrix.NAMES)
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_each_device(client: Client, device: str) -> None:
    """It is assigned where it belongs, or refused in the service's words."""
    check(client, device)
