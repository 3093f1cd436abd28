"""The emulator of a run, with a CA and devices: all of it is there for this one run.

Its files lie beside the run folder, in `NAME.emulator`, readable to their owner only, because the
CA's key is among them; the run folder itself holds no secret. They are removed when the run is
complete, and stay as long as the run can be resumed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.devices import GeneratedDevices
from aiodps.fleet.plan.spec import RunOptions
from aiodps.pki import Authority
from aiodps.pki.files import CredentialFiles

STARTUP: Final = 20.0
"""Seconds the emulator may take to be ready."""
ENDING: Final = 5.0
"""Seconds it may take to end."""
_POLL_INTERVAL: Final = 0.02
_CA: Final = "device-root"
_HUB: Final = "emulated.azure-devices.net"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEmulator:
    """The files of a run's emulator."""

    folder: Path

    @classmethod
    def in_folder(cls, run: Path) -> LocalEmulator:
        """Say where the files lie that go with a run folder."""
        return cls(folder=run.absolute().with_name(f"{run.absolute().name}.emulator"))

    def make(self) -> None:
        """Make the CA and enrol it, unless that is done."""
        files = CredentialFiles(directory=self.folder, name=_CA)
        if files.certificate.exists():
            return

        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = Authority.root(_CA)
        group = {
            "enrollmentGroupId": "devices",
            "attestation": {
                "type": "x509",
                "x509": {
                    "signingCertificates": {
                        "primary": {"certificate": root.certificate_pem.decode()}
                    }
                },
            },
        }
        self._path("enrollments.json").write_text(json.dumps([group]), encoding="utf-8")
        files.write(root, overwrite=True)

    def devices(self, count: int) -> GeneratedDevices:
        """Return so many devices of the CA's."""
        files = CredentialFiles(directory=self.folder, name=_CA)
        return GeneratedDevices(
            count=count, certificate=files.certificate, private_key=files.private_key
        )

    @contextlib.contextmanager
    def emulator(self, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Run the emulator in a process of its own until the block ends; give its ready line.

        An emulator that a killed run left behind is used again.

        Args:
            options: Options of `aiodps emulator` by name; None leaves one out.

        Raises:
            ConfigurationError: If it does not start.
        """
        process = None
        facts = self._left_behind()
        if facts is None:
            process, facts = self._start(options)

        try:
            yield facts
        finally:
            _end(process, facts["pid"])
            self._path("emulator.json").unlink(missing_ok=True)

    def remove(self) -> None:
        """Take everything away, the CA's key first of all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _start(self, options: Mapping[str, Any]) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        ready = self._path("emulator.json")
        ready.unlink(missing_ok=True)
        ca = CredentialFiles(directory=self.folder, name=_CA).certificate
        fixed = {
            "https-port": 0,
            "mqtt-port": 0,
            "hub": _HUB,
            "verified-ca": ca,
            "enrollments": self._path("enrollments.json"),
            "state": self._path("emulator.sqlite"),
            "ready-file": ready,
            "ca-out": self._path("emulator-ca.pem"),
            "quiet": True,
        }
        words = [sys.executable, "-m", "aiodps", "emulator", *_words({**fixed, **options})]
        log = self._path("emulator.log")
        with log.open("wb") as stream:
            # A session of its own: Ctrl-C is for the run, which still needs the emulator.
            process = subprocess.Popen(  # noqa: S603 (our own command)
                words, stdout=stream, stderr=stream, start_new_session=True
            )

        deadline = time.monotonic() + STARTUP
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                return process, json.loads(ready.read_text("utf-8"))

            time.sleep(_POLL_INTERVAL)

        process.terminate()
        _reap(process)
        raise ConfigurationError(
            f"the emulator did not start: {_last_line(log)}",
            setting="emulator",
            hint="run `aiodps emulator` by itself to see why",
        )

    def _left_behind(self) -> dict[str, Any] | None:
        """Find an emulator that still runs, with the CA that devices are issued from."""
        try:
            facts = json.loads(self._path("emulator.json").read_text("utf-8"))
            command = Path(f"/proc/{facts['pid']}/cmdline").read_bytes()
        except (OSError, ValueError, LookupError):
            return None

        return facts if str(self.folder).encode() in command else None


def reaching(facts: Mapping[str, Any], options: RunOptions) -> RunOptions:
    """Return a run's options with the address of a running emulator."""
    settings = options.settings.replace(
        id_scope=facts["id_scope"], endpoint=facts["host"], trust=facts["ca_file"]
    )
    ports = {"rest": facts["https_port"], "mqtt": facts["mqtt_port"]}
    return dataclasses.replace(options, settings=settings, ports=ports)


def _words(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if value is not None:
            yield f"--{name.replace('_', '-')}"
            yield from () if value is True else (str(value),)


def _end(process: subprocess.Popen[bytes] | None, pid: int) -> None:
    """End the emulator, whether this process started it or an earlier one."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        if process is not None:
            _reap(process)
            return

        for _ in range(int(ENDING / _POLL_INTERVAL)):
            os.kill(pid, 0)
            time.sleep(_POLL_INTERVAL)

        os.kill(pid, signal.SIGKILL)


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"
