"""Microsoft's azure-iot-device, used as its samples do; lives in an environment of its own.

It knows no port but 8883, needs paho-mqtt 1, and polls 2 s after each register, whatever the
service asked for: so its rate says how it waits, and it has threads and connections for longer.
"""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from azure.iot import device  # type: ignore[import-not-found]  # has its own environment
from azure.iot.device import aio  # type: ignore[import-not-found]
from benchmarks.baseline import Server


async def mqtt(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Provision with the asynchronous client."""
    client = _of(aio.ProvisioningDeviceClient, server, registration_id, chain, key)
    result = await client.register()
    return str(result.registration_state.assigned_hub)


async def mqtt_sync(server: Server, registration_id: str, chain: Path, key: Path) -> str:
    """Provision with the synchronous client, in a thread for each of those at once."""

    def register() -> str:
        client = _of(device.ProvisioningDeviceClient, server, registration_id, chain, key)
        return str(client.register().registration_state.assigned_hub)

    return await asyncio.get_running_loop().run_in_executor(_threads(), register)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1000)


def _of(kind: Any, server: Server, registration_id: str, chain: Path, key: Path) -> Any:
    return kind.create_from_x509_certificate(
        provisioning_host=server.host,
        registration_id=registration_id,
        id_scope=server.id_scope,
        x509=device.X509(str(chain), str(key)),
        server_verification_cert=server.ca,
    )
