"""Provision a device with a certificate, and send one message to its IoT hub.

    AIODPS_ID_SCOPE=0ne00012ABC python hub_message.py sensor-7_chain.pem sensor-7_key.pem cache

All other settings of aiodps come from the environment as well. HUB_PORT and HUB_TRUST are for what
stands in for a hub in tests.
"""

import asyncio
import json
import os
import sys

import aiomqtt

import aiodps


async def main(certificate: str, private_key: str, cache: str) -> None:
    """Send a message; if the hub refuses the device, register it anew and try once more."""
    device = aiodps.X509.from_files(certificate, private_key)
    for force in (False, True):
        assignment = await aiodps.provision(
            attestation=device, cache=aiodps.AssignmentCache(cache), force=force
        )
        try:
            await send(assignment, device)
        except aiomqtt.MqttError as error:
            if force or not aiodps.should_reprovision(error):
                raise
        else:
            return


async def send(assignment: aiodps.Assignment, device: aiodps.Attestation) -> None:
    """Connect to the hub, and wait until it has the message."""
    hub = await aiodps.HubConnection.of(assignment, device, trust=os.environ.get("HUB_TRUST"))
    async with aiomqtt.Client(
        hub.host,
        int(os.environ.get("HUB_PORT", hub.port)),
        identifier=hub.client_id,
        username=hub.user_name,
        password=hub.password,
        tls_context=hub.tls_context,
        protocol=aiomqtt.ProtocolVersion.V311,
    ) as client:
        topic = f"devices/{hub.client_id}/messages/events/"
        await client.publish(topic, json.dumps({"temperature": 21.5}), qos=1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
