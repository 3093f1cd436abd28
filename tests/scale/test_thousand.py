"""A thousand devices at once, in one process and one event loop, against an emulator in another."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

import aiodps
from aiodps.pki import Authority

pytestmark = [pytest.mark.scale, pytest.mark.anyio]

DEVICES = int(os.environ.get("AIODPS_SCALE", "1000"))
MOST_MEMORY = 150 * 1024
"""Bytes for each device that waits."""


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run where both transports run."""
    return "asyncio"


@pytest.fixture(scope="module")
def root() -> Authority:
    """The devices' root."""
    return Authority.root("scale root")


@pytest.fixture(scope="module")
def server(root: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run the emulator in a process of its own: 4 s to assign, polls each 2 s."""
    folder = tmp_path_factory.mktemp("emulator")
    (folder / "root.pem").write_bytes(root.certificate_pem)
    primary = {"certificate": root.certificate_pem.decode()}
    x509 = {"type": "x509", "x509": {"signingCertificates": {"primary": primary}}}
    group = {"enrollmentGroupId": "scale", "attestation": x509}
    (folder / "enrollments.json").write_text(json.dumps([group]), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "aiodps", "emulator", "--json", "--quiet"),
        *("--https-port", "0", "--mqtt-port", "0", "--retry-after", "2", "--assign-after", "4"),
        *("--enrollments", "enrollments.json", "--verified-ca", "root.pem"),
        *("--ca-out", str(folder / "ca.pem")),
    ]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


class SelfMonitor:
    """Looks at this process while devices wait."""

    def __init__(self) -> None:
        gc.collect()
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.descriptors = self._process.num_fds()
        self.most_memory = 0
        self.most_threads = 0

    async def run(self) -> None:
        """Look ten times a second."""
        while True:
            self.most_memory = max(
                self.most_memory, self._process.memory_info().rss - self._before
            )
            self.most_threads = max(self.most_threads, threading.active_count())
            await anyio.sleep(0.1)


@pytest.mark.parametrize("transport", ["rest", "mqtt"])
async def test_a_thousand_at_once(
    transport: str, root: Authority, server: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """All assigned, each its own; no thread a device, under 150 kB a device, nothing left."""
    client = aiodps.ProvisioningClient(
        id_scope=server["id_scope"],
        endpoint=server["host"],
        port=server["https_port" if transport == "rest" else "mqtt_port"],
        transport=transport,
        trust=Path(server["ca_file"]),
        timeout=120,
    )
    identities = [identity(root, f"{transport}-{number:05}") for number in range(DEVICES)]
    assigned: set[str] = set()

    async def one(device: aiodps.X509) -> None:
        assignment = await client.provision(attestation=device)
        assert assignment.device_id == device.registration_id
        assigned.add(assignment.device_id)

    await client.provision(attestation=identity(root, f"{transport}-warm"))
    monitor = SelfMonitor()
    began = anyio.current_time()
    async with anyio.create_task_group() as watching:
        watching.start_soon(monitor.run)
        async with anyio.create_task_group() as tasks:
            for device in identities:
                tasks.start_soon(one, device)

        watching.cancel_scope.cancel()

    each = monitor.most_memory / DEVICES
    with capsys.disabled():
        print(  # noqa: T201 (a measurement)
            f"\n{transport}: {DEVICES} devices in {anyio.current_time() - began:.1f} s, "
            f"{each / 1024:.0f} KiB each, {monitor.most_threads} threads"
        )

    assert len(assigned) == DEVICES
    assert monitor.most_threads <= 3
    assert each < MOST_MEMORY
    assert psutil.Process().num_fds() == monitor.descriptors


def identity(root: Authority, registration_id: str) -> aiodps.X509:
    """Make a device."""
    device = root.device(registration_id)
    return aiodps.X509.from_bytes(certificate=device.chain_pem, private_key=device.private_key_pem)
