"""Microsoft's azure-iot-device, unmodified: blocking and asynchronous, over MQTT and WebSocket."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.interop import matrix
from tests.interop.harness import HOST, PATIENCE, Client, check, environment
from tests.interop.matrix import Refusal

pytestmark = pytest.mark.interop
WORDS = {
    Refusal.UNAUTHORIZED: "register request returned a service error status code 401",
    Refusal.DISABLED: "invalid registration status disabled",
}
LOST = """
    [[rule]]
    name = "lost with its question"
    operation = ["register", "operation status"]
    first = 1
    delay = 0.5
    drop = "before"
"""
"""Delayed, since this client fails if it loses the connection while it is still sending."""


def client(style: str, transport: str, **emulator: Any) -> Client:
    """Name a way of using it, and the emulator it is tried against."""
    return Client(
        command=("azure_iot_device.py", style, transport),
        environment="azure-iot-device",
        fixed_ports=True,
        says=WORDS,
        emulator=tuple(emulator.items()),
    )


CLIENTS = [
    client("sync", "tcp"),
    client("sync", "websocket"),
    client("aio", "tcp"),
    client("aio", "websocket"),
    client("sync", "tcp", harsh=True),
    client("sync", "tcp", faults=LOST),
]


@pytest.mark.parametrize("device", matrix.NAMES)
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_each_device(client: Client, device: str) -> None:
    """It is assigned where it belongs, or refused in words that this client understands."""
    check(client, device)


def test_a_suite_runs_the_emulator_in_another_environment() -> None:
    """The example as it stands: its fixture needs nothing of aiodps but the command."""
    suite = Path(__file__).parents[2] / "docs" / "examples" / "beside_azure_iot_device"
    python = environment("azure-iot-device") / "bin" / "python"
    emulator = {"EMULATOR": f"{sys.executable} -m aiodps", "AIODPS_EMULATOR_HOST": HOST}
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "."],
        cwd=suite,
        env=os.environ | emulator,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr
