"""What a TLS connection of the standard library holds by itself: the floor of memory per device.

    python -m benchmarks.bare '{"folder": ..., "host": ..., "https_port": ..., "ca_file": ...}'

Runs in a process of its own, against the emulator of `benchmarks.waiting`: nothing but sockets
and TLS, one context for all, and for each connection the certificate and key of a device.
"""

from __future__ import annotations

import gc
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from aiodps.attestation.base import ClientCertificate
from aiodps.attestation.x509 import X509
from aiodps.fleet.local_emulator import LocalEmulator
from aiodps.fleet.plan.devices import Device

FIRST: Final = 100
"""Connections after which memory is counted: what is made once is made then."""
COUNT: Final = 1_000


def bare_kb(told: Mapping[str, Any]) -> float:
    """Return the kilobytes of a bare connection to an emulator."""
    command = [sys.executable, "-m", "benchmarks.bare", json.dumps(dict(told))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def context(told: Mapping[str, Any]) -> ssl.SSLContext:
    """Return the one context of all connections."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(told["ca_file"])
    return made


def connect(
    made: ssl.SSLContext, told: Mapping[str, Any], devices: Iterable[Device]
) -> list[ssl.SSLSocket]:
    """Open a connection for each device, and take the tickets of the server."""
    opened = [_connected(made, told, each) for each in devices]
    for tls in opened:
        tls.setblocking(False)
        with suppress(ssl.SSLWantReadError):
            tls.recv(1)  # tickets

    return opened


def _connected(made: ssl.SSLContext, told: Mapping[str, Any], device: Device) -> ssl.SSLSocket:
    assert isinstance(device.attestation, X509)
    identity = device.attestation.tls_identity()
    assert isinstance(identity, ClientCertificate)
    identity.load(made)
    sock = socket.create_connection((told["host"], told["https_port"]))
    return made.wrap_socket(sock, server_hostname=told["host"])


def main(told: Mapping[str, Any]) -> None:
    """Connect, and print by how much this process has grown with each connection."""
    devices = LocalEmulator.for_run(Path(told["folder"])).devices(FIRST + COUNT)
    loaded, made = devices.load(range(FIRST + COUNT)), context(told)
    first = connect(made, told, loaded[:FIRST])
    before = _memory()
    others = connect(made, told, loaded[FIRST:])
    print((_memory() - before) / 1000 / COUNT)
    for tls in (*first, *others):
        tls.close()


def _memory() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
