"""Microsoft's azure-iot-device, unmodified, over MQTT against the emulator.

Its port 8883 is hard-coded, so the emulator gets an address of its own; it needs an old paho, so
it runs in an environment of its own, whose Python the variable AZURE_IOT_DEVICE_PYTHON names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests import certificates
from tests.emulator.clients import SCOPE, fleet, running

from aiodps.emulator import Emulator
from aiodps.emulator.service.enrollments import read_enrollments
from aiodps.pki import Credential

pytestmark = [pytest.mark.anyio, pytest.mark.interop]
HOST = f"127.{os.getpid() >> 16 & 0xFF}.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF or 1}"


@pytest.fixture
def anyio_backend() -> str:
    """One event loop is enough: both are tried with other clients."""
    return "asyncio"


async def provision(dps: Emulator, credential: Credential, name: str, directory: Path) -> Any:
    """Run the script; return what it says."""
    certificate, key = certificates.write(credential, directory)
    ca = directory / "ca.pem"
    ca.write_bytes(dps.ca_pem)
    script = Path(__file__).with_name("provision.py")
    with anyio.fail_after(100):
        done = await anyio.run_process(
            [
                *(os.environ["AZURE_IOT_DEVICE_PYTHON"], str(script), dps.host, SCOPE, name),
                *(ca, certificate, key),
            ],
            check=False,
        )

    assert done.stdout, done.stderr.decode()
    return json.loads(done.stdout)


def individual(credential: Credential, **more: Any) -> Any:
    """Enroll one device by its certificate."""
    pem = credential.certificate_pem.decode()
    x509 = {"clientCertificates": {"primary": {"certificate": pem}}}
    attestation = {"type": "x509", "x509": x509}
    return read_enrollments(
        json.dumps([{"registrationId": "lamp", "attestation": attestation, **more}])
    )


async def test_an_individual_enrollment(tmp_path: Path) -> None:
    """A self-signed certificate, and a device id of its own."""
    lamp = certificates.self_signed("lamp")
    enrollments = individual(lamp, deviceId="lamp-of-the-hall")
    async with running(host=HOST, mqtt_port=8883, enrollments=enrollments) as dps:
        result = await provision(dps, lamp, "lamp", tmp_path)

    assert result == {"status": "assigned", "hub": dps.hub, "device_id": "lamp-of-the-hall"}


async def test_a_group(tmp_path: Path) -> None:
    """A device below an intermediate below a verified root."""
    lamp = certificates.intermediate().device("lamp")
    async with running(host=HOST, mqtt_port=8883, assign_after=3.0) as dps:
        result = await provision(dps, lamp, "lamp", tmp_path)

    assert result == {"status": "assigned", "hub": dps.hub, "device_id": "lamp"}
    assert dps.counts.registers == {"lamp": 1}


@pytest.mark.parametrize(
    ("credential", "enrollments", "words"),
    [
        pytest.param(certificates.unknown_root, fleet, "401", id="not enrolled"),
        pytest.param(
            certificates.self_signed,
            lambda: individual(certificates.self_signed("lamp"), provisioningStatus="disabled"),
            "401",
            id="another certificate than the enrolled one",
        ),
        pytest.param(
            lambda name: certificates.intermediate().device(f"not-{name}"),
            fleet,
            "401",
            id="cn of another device",
        ),
    ],
)
async def test_refusals_reach_the_user(
    credential: Any, enrollments: Any, words: str, tmp_path: Path
) -> None:
    """In words this client understands, and without delay."""
    options = {"host": HOST, "mqtt_port": 8883, "enrollments": enrollments()}
    async with running(**options) as dps:
        result = await provision(dps, credential("lamp"), "lamp", tmp_path)

    assert any(words in cause for cause in result["error"])
    assert dps.counts.registers == {"lamp": 1}
