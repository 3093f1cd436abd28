"""An emulator that runs in another thread, for code that blocks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from tests.emulated import emulator
from tests.fleet.fleets import release

from aiodps.emulator import Emulator
from aiodps.emulator.request_log.log import Exchange
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
            if sum(self.emulator.counts.register_requests.values()) >= count:
                reached.set()

        with self.emulator.request_log.listen(note):
            yield reached


def run_facts(dps: Server, folder: Path) -> dict[str, Any]:
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
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(emulator(**settings)) as dps,
    ):
        yield Server(dps)
