"""The libraries under aiodps, used plainly: what one gets without it."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
from benchmarks.baseline import Server, context

logging.getLogger("httpx").setLevel(logging.WARNING)


async def stock_httpx(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """One `AsyncClient` for each device, with a small context of its own."""
    base = f"https://{server.host}:{server.https_port}/{server.id_scope}/registrations"
    query = {"api-version": "2021-10-01"}
    async with httpx.AsyncClient(verify=context(server, chain, key), timeout=60) as client:
        url = f"{base}/{registration_id}"
        response = await client.put(
            f"{url}/register", params=query, json={"registrationId": registration_id}
        )
        answer = response.json()
        while answer["status"] == "assigning":
            response = await client.get(f"{url}/operations/{answer['operationId']}", params=query)
            answer = response.json()

    return str(answer["registrationState"]["assignedHub"])


async def stock_aiomqtt(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Use aiomqtt as its documentation shows it."""
    async with aiomqtt.Client(
        server.host,
        server.mqtt_port,
        identifier=registration_id,
        username=f"{server.id_scope}/registrations/{registration_id}/api-version=2019-03-31",
        tls_context=context(server, chain, key),
        timeout=60,
    ) as client:
        await client.subscribe("$dps/registrations/res/#", qos=1)
        body = json.dumps({"registrationId": registration_id})
        topic = "$dps/registrations/PUT/iotdps-register/?$rid=1"
        answer = await _ask(client, topic, body)
        rid = 2
        while answer["status"] == "assigning":
            topic = (
                f"$dps/registrations/GET/iotdps-get-operationstatus/?$rid={rid}"
                f"&operationId={answer['operationId']}"
            )
            answer = await _ask(client, topic, " ")
            rid += 1

    return str(answer["registrationState"]["assignedHub"])


async def _ask(client: aiomqtt.Client, topic: str, body: str) -> dict[str, Any]:
    await client.publish(topic, body, qos=1)
    message = await asyncio.wait_for(anext(aiter(client.messages)), 60)
    assert isinstance(message.payload, bytes)
    return json.loads(message.payload)  # type: ignore[no-any-return]  # JSON
