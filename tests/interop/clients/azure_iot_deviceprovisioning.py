"""Administers enrollments with Microsoft's azure-iot-deviceprovisioning.

    python azure_iot_deviceprovisioning.py sync|aio

What it needs is in the variables DPS_*; it prints one line of JSON: what it saw at each step.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

from azure.core.exceptions import HttpResponseError  # type: ignore[import-not-found]
from azure.iot.deviceprovisioning import (  # type: ignore[import-not-found]
    DeviceProvisioningClient,
)
from azure.iot.deviceprovisioning.aio import (  # type: ignore[import-not-found]
    DeviceProvisioningClient as AioDeviceProvisioningClient,
)

CLIENTS = {"sync": DeviceProvisioningClient, "aio": AioDeviceProvisioningClient}
CERTIFICATE = Path(os.environ["DPS_GROUP_CERTIFICATE_FILE"]).read_text()
CONNECTION_STRING = os.environ["DPS_CONNECTION_STRING"]


def connect(style: str, connection_string: str) -> Any:
    """Make a client that does not try again."""
    return CLIENTS[style].from_connection_string(
        connection_string, connection_verify=os.environ["DPS_CA_FILE"], retry_total=0
    )


async def done(result: Any) -> Any:
    """Wait for a result, if it is one to wait for."""
    return await result if inspect.isawaitable(result) else result


async def status(call: Any) -> int:
    """Return the status of a call that must fail."""
    try:
        await done(call())
    except HttpResponseError as error:
        return int(error.status_code)

    return 200


async def pages(query: Any) -> list[list[Any]]:
    """Read all pages of a query."""
    query = await done(query)
    if hasattr(query, "__aiter__"):
        return [[each async for each in page] async for page in query.by_page()]

    return [list(page) for page in query.by_page()]


async def story(style: str) -> dict[str, Any]:
    """Go through what an administrator does."""
    client = connect(style, CONNECTION_STRING)
    seen: dict[str, Any] = {}

    # An individual enrollment whose keys the service makes
    document = {"registrationId": "one", "attestation": {"type": "symmetricKey"}}
    await done(client.enrollment.create_or_update("one", document))
    made = await done(client.enrollment.get("one"))
    mechanism = await done(client.enrollment.get_attestation_mechanism("one"))
    seen["made"] = made["provisioningStatus"]
    keys = made["attestation"].get("symmetricKey") or {}
    seen["key in a plain read"] = bool(keys.get("primaryKey"))
    seen["length of its key"] = len(mechanism["symmetricKey"]["primaryKey"])

    # Changed by two, one of whom is late
    put = client.enrollment.create_or_update
    changed = {**made, "provisioningStatus": "disabled"}
    updated = await done(put("one", changed, if_match=made["etag"]))
    seen["changed"] = updated["provisioningStatus"]
    seen["changed too late"] = await status(lambda: put("one", changed, if_match=made["etag"]))

    # A group
    x509 = {"signingCertificates": {"primary": {"certificate": CERTIFICATE}}}
    group = {"enrollmentGroupId": "a-group", "attestation": {"type": "x509", "x509": x509}}
    made = await done(client.enrollment_group.create_or_update("a-group", group))
    info = made["attestation"]["x509"]["signingCertificates"]["primary"]["info"]
    seen["subject of the group"] = info["subjectName"]

    # Many at once, and page by page
    many = [{**document, "registrationId": name} for name in ("two", "three")]
    bulk = {"mode": "create", "enrollments": many}
    seen["bulk"] = (await done(client.enrollment.run_bulk_operation(bulk)))["isSuccessful"]
    query = client.enrollment.query({"query": "SELECT * FROM enrollments"}, top=2)
    found = await pages(query)
    seen["pages"] = sorted(len(page) for page in found)
    seen["enrollments"] = sorted(each["registrationId"] for page in found for each in page)

    # What became of a device of the group `root`
    states = client.device_registration_state
    name = os.environ["DPS_REGISTRATION_ID"]
    seen["device"] = (await done(states.get(name)))["status"]
    seen["devices of its group"] = [
        each["registrationId"] for page in await pages(states.query("root")) for each in page
    ]
    await done(states.delete(name))
    seen["device deleted"] = await status(lambda: states.get(name))

    # And away
    await done(client.enrollment.delete("one"))
    seen["deleted"] = await status(lambda: client.enrollment.get("one"))
    await done(client.enrollment_group.delete("a-group"))
    seen["group deleted"] = await status(lambda: client.enrollment_group.get("a-group"))
    await done(client.enrollment.run_bulk_operation({**bulk, "mode": "delete"}))

    head = CONNECTION_STRING.partition("SharedAccessKey=")[0]
    stranger = connect(style, f"{head}SharedAccessKey=c3RyYW5nZXI=")
    seen["wrong key"] = await status(lambda: stranger.enrollment.get("one"))
    for each in (client, stranger):
        await done(each.close())

    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(story(sys.argv[1]))))  # noqa: T201 (its answer)
