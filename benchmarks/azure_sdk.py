"""Microsoft's azure-iot-device, used as its samples do; lives in an environment of its own.

It knows no port but 8883, needs paho-mqtt 1, and polls 2 s after each register, whatever the
service asked for: so its rate says how it waits, and it has threads and connections for longer.
"""

from __future__ import annotations

from pathlib import Path

from azure.iot import device  # type: ignore[import-not-found]  # has its own environment
from azure.iot.device import aio  # type: ignore[import-not-found]
from benchmarks.baseline import Server


async def mqtt(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Provision with the asynchronous client."""
    client = aio.ProvisioningDeviceClient.create_from_x509_certificate(
        provisioning_host=server.host,
        registration_id=registration_id,
        id_scope=server.id_scope,
        x509=device.X509(str(chain), str(key)),
        server_verification_cert=server.ca,
    )
    result = await client.register()
    return str(result.registration_state.assigned_hub)
