"""All that administrators can ask."""

from __future__ import annotations

import pytest
from tests.emulator.administrator import HOST, token
from tests.emulator.instance import NOW, instance

from aiodps.emulator.azure_api.access_policies import OWNER, Access, AccessPolicy
from aiodps.emulator.azure_api.router import AzureApi
from aiodps.emulator.protocol.messages import ManagementRequest

INSTANCE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/d"


@pytest.mark.parametrize(
    ("path", "version", "status"),
    [
        (f"{INSTANCE}/certificates", "2026-11-01", 200),
        (f"{INSTANCE.upper()}/certificates", "2026-11-01", 200),
        ("/enrollments/a", "2021-10-01", 404),
        (f"{INSTANCE}/certificates", "2021-10-01", 400),
    ],
)
def test_where_a_request_goes(path: str, version: str, status: int) -> None:
    """To the resource manager, or to the service API, each with its versions."""
    api = AzureApi(instance())
    headers = {"authorization": f"Bearer {api.access.bearer_token}", "host": HOST}
    request = ManagementRequest(
        method="GET", path=path, query={"api-version": version}, headers=headers
    )

    assert api.handle(request, now=NOW).status_code == status


def test_the_owner_is_nobody_unless_told() -> None:
    """Keys are made that only the administration knows."""
    owner = AccessPolicy.create(OWNER)
    headers = {"authorization": token(owner), "host": HOST}
    request = ManagementRequest(
        method="GET", path="/enrollments/a", query={"api-version": "2021-10-01"}, headers=headers
    )

    assert AzureApi(instance()).handle(request, now=NOW).status_code == 401
    known = AzureApi(instance(), Access([owner]))
    assert known.handle(request, now=NOW).status_code == 404
