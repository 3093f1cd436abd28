"""One service for all: the emulator in a process of its own, and devices that it lets in."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.baseline import Server

from aiodps.pki import Authority, KeyType

PID: Final = os.getpid()
HOST: Final = f"127.{PID >> 16 & 0xFF}.{PID >> 8 & 0xFF}.{PID & 0xFF or 1}"
"""A loopback address of our own: azure-iot-device knows no port but 8883."""
LINK_HOST: Final = f"127.{128 | PID >> 16 & 0xFF}.{PID >> 8 & 0xFF}.{PID & 0xFF or 1}"
"""Another one, for the same server behind a long link."""


def https_port() -> int:
    """Return 443 if it may be bound, which is all that Microsoft's SDK for Node knows; else 0."""
    try:
        with socket.create_server((HOST, 443)):
            return 443
    except PermissionError:
        return 0


@contextmanager
def emulator(
    folder: Path, root: Authority, *options: str, turns: int | None = None
) -> Iterator[Server]:
    """Run the emulator; it answers at once, asks for no wait, and takes devices of this root.

    With the descriptor of its `turns` it runs only while a client waits (`benchmarks/turns.py`).
    """
    ca, ready, enrollments = folder / "server-ca.pem", folder / "ready", folder / "enrollments"
    verified = folder / "root.pem"
    verified.write_bytes(root.certificate_pem)
    enrollments.write_text(json.dumps([_group(root)]))
    program = ("aiodps",) if turns is None else ("benchmarks.turns", str(turns))
    command = [
        *(sys.executable, "-m", *program, "emulator", "--quiet", "--host", HOST),
        *("--https-port", "0", "--mqtt-port", "8883", "--retry-after", "0"),
        *("--enrollments", str(enrollments), "--verified-ca", str(verified)),
        *("--ca-out", str(ca), "--ready-file", str(ready), *options),
    ]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=() if turns is None else (turns,),
    ) as process:
        try:
            while not ready.exists():
                time.sleep(0.05)
                if process.poll() is not None:
                    raise SystemExit("the emulator did not start")

            facts = json.loads(ready.read_text())
            yield Server(
                facts["host"],
                facts["https_port"],
                facts["mqtt_port"],
                facts["id_scope"],
                ca.read_text(),
                process.pid,
            )
        finally:
            process.send_signal(signal.SIGTERM)


def _group(root: Authority) -> dict[str, object]:
    primary = {"primary": {"certificate": root.certificate_pem.decode()}}
    attestation = {"type": "x509", "x509": {"signingCertificates": primary}}
    return {"enrollmentGroupId": "bench", "attestation": attestation}


def issue(root: Authority, folder: Path, devices: int, *, key_type: KeyType = "ec") -> None:
    """Write chain and key of each device."""
    for index in range(devices):
        device = root.device(f"dev-{index:05}", key_type=key_type)
        (folder / f"dev-{index:05}_chain.pem").write_bytes(device.chain_pem)
        key = folder / f"dev-{index:05}_key.pem"
        key.touch(mode=0o600)
        key.write_bytes(device.private_key_pem)
