"""Provisions one device with Microsoft's azure-iot-device; run in an environment that has it.

    python provision.py HOST ID_SCOPE REGISTRATION_ID CA_FILE CERTIFICATE_FILE KEY_FILE

Prints one line of JSON: the result, or the error's class and its causes. Knows nothing of aiodps.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from azure.iot.device import (  # type: ignore[import-not-found]  # lives in an environment of its own
    X509,
    ProvisioningDeviceClient,
)


def main() -> None:
    """Do as the articles do."""
    host, id_scope, registration_id, ca_file, certificate_file, key_file = sys.argv[1:]
    client = ProvisioningDeviceClient.create_from_x509_certificate(
        provisioning_host=host,
        registration_id=registration_id,
        id_scope=id_scope,
        x509=X509(certificate_file, key_file),
        server_verification_cert=Path(ca_file).read_text(),
    )
    try:
        result = client.register()
    except Exception as error:  # noqa: BLE001 (whatever it is, the test wants to see it)
        print(json.dumps({"error": causes(error)}))  # noqa: T201 (its answer)
    else:
        state = result.registration_state
        answer = {
            "status": result.status,
            "hub": state and state.assigned_hub,
            "device_id": state and state.device_id,
        }
        print(json.dumps(answer))  # noqa: T201 (its answer)
    finally:
        client.shutdown()


def causes(error: BaseException | None) -> list[str]:
    """Name an error and what caused it."""
    return [] if error is None else [f"{type(error).__name__}: {error}", *causes(error.__cause__)]


if __name__ == "__main__":
    main()
