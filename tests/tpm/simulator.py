"""swtpm, a TPM in a process of its own, on ports that were free."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiodps.tpm.commands import Tpm2
from aiodps.tpm.hardware import IDENTITY_HANDLE

HOST: Final = "127.0.0.2"
"""Not where connections come from: one to a port that is free yet would connect to itself."""
_INIT: Final = struct.pack(">II", 2, 0)
"""CMD_INIT of the control channel, without flags: swtpm's `tpm_ioctl.h`."""
_STARTUP: Final = bytes.fromhex("80010000000c000001440000")
"""TPM2_Startup(CLEAR)."""


@dataclass(frozen=True)
class Swtpm:
    """A running simulator."""

    port: int
    """Of commands; the control channel has the next one."""

    @property
    def tcti(self) -> str:
        """How it is reached."""
        return f"swtpm:host={HOST},port={self.port}"

    def tpm2(self, *, owner_auth: bytes = b"", endorsement_auth: bytes = b"") -> Tpm2:
        """Return its commands."""
        return Tpm2(
            tcti=self.tcti,
            owner_auth=owner_auth,
            endorsement_auth=endorsement_auth,
            identity_handle=IDENTITY_HANDLE,
        )

    def restart(self) -> None:
        """Do what a restart of the machine does: nothing else ends a TPM's failure mode."""
        _send(self.port + 1, _INIT)
        _send(self.port, _STARTUP)


@contextmanager
def simulator(state: Path) -> Iterator[Swtpm]:
    """Run a simulator with a new TPM."""
    state.mkdir()
    port = _two_free_ports()
    options = [f"type=tcp,port={each},bindaddr={HOST}" for each in (port, port + 1)]
    words = ("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}")
    channels = ("--server", options[0], "--ctrl", options[1])
    with subprocess.Popen([*words, *channels, "--flags", "not-need-init"]) as process:
        running = Swtpm(port)
        try:
            _until_it_listens(running, process)
            running.restart()
            yield running
        finally:
            process.terminate()


def _until_it_listens(swtpm: Swtpm, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(ConnectionError):
            return _send(swtpm.port + 1, _INIT)

    raise AssertionError("swtpm ended: another process took its port")


def _two_free_ports() -> int:
    """Return the first of two ports in a row, as tpm2-tss expects them."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind((HOST, 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError):
                second.bind((HOST, port + 1))
                return port


def _send(port: int, message: bytes) -> None:
    with socket.create_connection((HOST, port), timeout=10) as connection:
        connection.sendall(message)
        assert connection.recv(64)
