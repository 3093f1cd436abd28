"""An emulator that runs in another thread, for code that blocks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from tests.emulated import emulator
from tests.fleet.fleets import release

from aiodps.emulator import Emulator
from aiodps.emulator.request_log import Exchange
from aiodps.pki.files import CredentialFiles


@dataclass(slots=True)
class Server:
    """A running emulator."""

    emulator: Emulator

    def release(self) -> None:
        """Assign every device that waits, and the next ones at once."""
        release(self.emulator)

    @contextlib.contextmanager
    def registered(self, count: int) -> Iterator[threading.Event]:
        """Give an event that is set when so many register requests have come."""
        reached = threading.Event()

        def note(_: Exchange) -> None:
            if sum(self.emulator.counts.registers.values()) >= count:
                reached.set()

        with self.emulator.request_log.listen(note):
            yield reached


def facts_of(dps: Server, folder: Path) -> dict[str, Any]:
    """Say where an emulator is, as its ready line does."""
    ca_file = folder / "service.pem"
    ca_file.write_bytes(dps.emulator.ca_pem)
    return {**dps.emulator.facts(), "ca_file": str(ca_file)}


def fleet_command(
    facts: dict[str, Any], folder: Path, count: int, transport: str, *, ca: CredentialFiles
) -> list[str]:
    """Write a list of devices, and say how they are provisioned with certificates of a CA's."""
    rows = "".join(f"device-{number:03}\n" for number in range(count))
    (folder / "devices.csv").write_text(f"registration_id\n{rows}")
    return [
        *("run", "--manifest", str(folder / "devices.csv"), "--id-scope", facts["id_scope"]),
        *("--endpoint", facts["host"], "--trust", facts["ca_file"]),
        *("--rest-port", str(facts["https_port"]), "--mqtt-port", str(facts["mqtt_port"])),
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
    ready.wait()
    try:
        yield Server(running[0])
    finally:
        anyio.from_thread.run_sync(over[0].set, token=token[0])
        thread.join()
