"""Provisions one device with Microsoft's azure-iot-device, as its samples do.

    python azure_iot_device.py sync|aio tcp|websocket

What it needs is in the variables DPS_*; it prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from azure.iot import device as azure  # type: ignore[import-not-found]  # has its own environment
from azure.iot.device import aio as azure_aio  # type: ignore[import-not-found]

DPS = {name: value for name, value in os.environ.items() if name.startswith("DPS_")}


def create(client_class: Any, *, websockets: bool) -> Any:
    """Make the client that the device's credential asks for."""
    options = {
        "provisioning_host": DPS["DPS_HOST"],
        "registration_id": DPS["DPS_REGISTRATION_ID"],
        "id_scope": DPS["DPS_ID_SCOPE"],
        "server_verification_cert": Path(DPS["DPS_CA_FILE"]).read_text(),
        "websockets": websockets,
    }
    if key := DPS.get("DPS_SYMMETRIC_KEY"):
        return client_class.create_from_symmetric_key(symmetric_key=key, **options)

    x509 = azure.X509(DPS["DPS_CERTIFICATE_FILE"], DPS["DPS_KEY_FILE"])
    return client_class.create_from_x509_certificate(x509=x509, **options)


def register(*, websockets: bool) -> Any:
    """Provision with the blocking client."""
    client = create(azure.ProvisioningDeviceClient, websockets=websockets)
    client.provisioning_payload = {"colour": "green"}
    return client.register()


async def register_aio(*, websockets: bool) -> Any:
    """Provision with the asynchronous client."""
    client = create(azure_aio.ProvisioningDeviceClient, websockets=websockets)
    client.provisioning_payload = {"colour": "green"}
    return await client.register()


def causes(error: BaseException | None) -> list[str]:
    """Name an error and what caused it."""
    return [] if error is None else [f"{type(error).__name__}: {error}", *causes(error.__cause__)]


def main() -> None:
    """Print what came of it."""
    style, transport = sys.argv[1:]
    websockets = transport == "websocket"
    try:
        if style == "aio":
            result = asyncio.run(register_aio(websockets=websockets))
        else:
            result = register(websockets=websockets)
    except Exception as error:  # noqa: BLE001 (whatever it is, the test wants to see it)
        print(json.dumps({"error": causes(error)}))  # noqa: T201 (its answer)
        return

    state = result.registration_state
    answer = {"status": result.status, "hub": state and state.assigned_hub}
    answer["device_id"] = state and state.device_id
    print(json.dumps(answer))  # noqa: T201 (its answer)


if __name__ == "__main__":
    main()
