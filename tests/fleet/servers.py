"""An emulator that runs in another thread, for code that blocks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from tests.certificates import root
from tests.emulated import emulator

from aiodps.emulator import Emulator
from aiodps.pki.files import CredentialFiles


@dataclass(slots=True)
class Server:
    """A running emulator."""

    emulator: Emulator


def fleet_command(dps: Server, folder: Path, count: int, transport: str) -> list[str]:
    """Write a list of devices and the CA that issues to them; say how they are provisioned."""
    ca = CredentialFiles(directory=folder, name="ca")
    ca.write(root())
    (folder / "service.pem").write_bytes(dps.emulator.ca_pem)
    rows = "".join(f"device-{number:03}\n" for number in range(count))
    (folder / "devices.csv").write_text(f"registration_id\n{rows}")
    return [
        *("run", "--manifest", str(folder / "devices.csv"), "--id-scope", dps.emulator.id_scope),
        *("--endpoint", "127.0.0.1", "--trust", str(folder / "service.pem")),
        *("--rest-port", str(dps.emulator.https_port), "--mqtt-port", str(dps.emulator.mqtt_port)),
        *("--ca", str(ca.certificate), "--ca-key", str(ca.private_key)),
        *("--keys-out", str(folder / "keys"), "--transport", transport),
    ]


@contextlib.contextmanager
def server(**settings: Any) -> Iterator[Server]:
    """Run an emulator in a thread until the block ends."""
    ready = threading.Event()
    running: list[Emulator] = []
    token: list[Any] = []
    over: list[anyio.Event] = []

    async def serve() -> None:
        async with emulator(**settings) as dps:
            over.append(anyio.Event())
            token.append(anyio.lowlevel.current_token())
            running.append(dps)
            ready.set()
            await over[0].wait()

    thread = threading.Thread(target=anyio.run, args=(serve,))
    thread.start()
    assert ready.wait(10)
    try:
        yield Server(running[0])
    finally:
        anyio.from_thread.run_sync(over[0].set, token=token[0])
        thread.join(10)
