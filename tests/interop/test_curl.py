"""The published articles' two curl commands against the emulator."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests import certificates
from tests.emulator.clients import SCOPE, device, running

from aiodps.emulator import Emulator
from aiodps.pki import Credential

pytestmark = pytest.mark.anyio
VERSION = "api-version=2019-03-31"


async def curl(dps: Emulator, credential: Credential, directory: Path, *words: str) -> Any:
    """Run curl as in "How to use X.509 certificates over HTTPS without an SDK"."""
    certificate, key = certificates.write(credential, directory)
    (directory / "ca.pem").write_bytes(dps.ca_pem)
    *options, path = words
    done = await anyio.run_process(
        [
            *("curl", "-L", "-i", "--silent", "--show-error", "--max-time", "20"),
            *("--cacert", directory / "ca.pem", "--cert", certificate, "--key", key),
            *("-H", "Content-Type: application/json", "-H", "Content-Encoding:  utf-8"),
            *options,
            f"https://localhost:{dps.https_port}/{SCOPE}/registrations/{path}",
        ],
        stderr=subprocess.STDOUT,
    )
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    return head, json.loads(body)


@pytest.mark.parametrize("tls", ["--tlsv1.3", "--tls-max=1.2"])
async def test_a_device_is_provisioned_with_two_commands(tls: str, tmp_path: Path) -> None:
    """Register, then the status of the operation."""
    options = [tls] if tls == "--tlsv1.3" else ["--tls-max", "1.2"]
    async with running() as dps:
        put = [*options, "-X", "PUT", "-d", '{"registrationId": "device-1"}']
        head, accepted = await curl(dps, device(), tmp_path, *put, f"device-1/register?{VERSION}")
        assert "202 Accepted" in head
        assert "Retry-After: 3" in head
        assert accepted["status"] == "assigning"

        path = f"device-1/operations/{accepted['operationId']}?{VERSION}"
        head, done = await curl(dps, device(), tmp_path, *options, "-X", "GET", path)

        assert "200 OK" in head
        assert done["status"] == "assigned"
        assert done["registrationState"]["deviceId"] == "device-1"
        assert done["registrationState"]["assignedHub"] == dps.hub


async def test_a_device_of_another_root_is_refused(tmp_path: Path) -> None:
    """401, in the service's words."""
    async with running() as dps:
        put = ["-X", "PUT", "-d", '{"registrationId": "device-1"}']
        head, error = await curl(
            dps, certificates.unknown_root(), tmp_path, *put, f"device-1/register?{VERSION}"
        )

        assert "401" in head.splitlines()[0]
        assert error["errorCode"] // 1000 == 401
