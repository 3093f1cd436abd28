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


def new(name: str) -> dict[str, Any]:
    """Write an enrollment whose keys the service makes."""
    return {"registrationId": name, "attestation": {"type": "symmetricKey"}}


MANY = [new("two"), new("three")]


async def one(client: Any) -> dict[str, Any]:
    """Make an enrollment, and have it changed by two, one of whom is late."""
    await done(client.enrollment.create_or_update("one", new("one")))
    made = await done(client.enrollment.get("one"))
    mechanism = await done(client.enrollment.get_attestation_mechanism("one"))
    keys = made["attestation"].get("symmetricKey") or {}

    put = client.enrollment.create_or_update
    changed, etag = {**made, "provisioningStatus": "disabled"}, made["etag"]
    updated = await done(put("one", changed, if_match=etag))
    return {
        "made": made["provisioningStatus"],
        "key in a plain read": bool(keys.get("primaryKey")),
        "length of its key": len(mechanism["symmetricKey"]["primaryKey"]),
        "changed": updated["provisioningStatus"],
        "changed too late": await status(lambda: put("one", changed, if_match=etag)),
    }


async def group(client: Any) -> dict[str, Any]:
    """Make a group."""
    x509 = {"signingCertificates": {"primary": {"certificate": CERTIFICATE}}}
    document = {"enrollmentGroupId": "a-group", "attestation": {"type": "x509", "x509": x509}}
    made = await done(client.enrollment_group.create_or_update("a-group", document))
    info = made["attestation"]["x509"]["signingCertificates"]["primary"]["info"]
    return {"subject of the group": info["subjectName"]}


async def many(client: Any) -> dict[str, Any]:
    """Make two at once, and read all page by page."""
    bulk = {"mode": "create", "enrollments": MANY}
    made = await done(client.enrollment.run_bulk_operation(bulk))
    query = client.enrollment.query({"query": "SELECT * FROM enrollments"}, top=2)
    found = await pages(query)
    return {
        "bulk": made["isSuccessful"],
        "pages": sorted(len(page) for page in found),
        "enrollments": sorted(each["registrationId"] for page in found for each in page),
    }


async def device(client: Any) -> dict[str, Any]:
    """See what became of a device of the group `root`, and forget it."""
    states, name = client.device_registration_state, os.environ["DPS_REGISTRATION_ID"]
    state = await done(states.get(name))
    found = await pages(states.query("root"))
    await done(states.delete(name))
    return {
        "device": state["status"],
        "devices of its group": [each["registrationId"] for page in found for each in page],
        "device deleted": await status(lambda: states.get(name)),
    }


async def away(client: Any) -> dict[str, Any]:
    """Delete everything."""
    await done(client.enrollment.delete("one"))
    await done(client.enrollment_group.delete("a-group"))
    await done(client.enrollment.run_bulk_operation({"mode": "delete", "enrollments": MANY}))
    return {
        "deleted": await status(lambda: client.enrollment.get("one")),
        "group deleted": await status(lambda: client.enrollment_group.get("a-group")),
    }


async def story(style: str) -> dict[str, Any]:
    """Go through what an administrator does, and what a stranger cannot."""
    client = connect(style, CONNECTION_STRING)
    head = CONNECTION_STRING.partition("SharedAccessKey=")[0]
    stranger = connect(style, f"{head}SharedAccessKey=c3RyYW5nZXI=")
    seen: dict[str, Any] = {}
    for chapter in (one, group, many, device, away):
        seen |= await chapter(client)

    seen["wrong key"] = await status(lambda: stranger.enrollment.get("one"))
    for each in (client, stranger):
        await done(each.close())

    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(story(sys.argv[1]))))  # noqa: T201 (its answer)
