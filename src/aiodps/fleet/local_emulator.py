"""The emulator of one run, with a CA that issues the certificates of its devices.

Its files lie next to the run folder, in `NAME.emulator`, readable by their owner only, because
the keys of CA and group are among them; the run folder itself holds no secret. They are kept as
long as the run can be resumed, and removed when it is complete.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from aiodps.errors import ConfigurationError
from aiodps.fleet.own_process import OwnProcess
from aiodps.fleet.plan.devices import GeneratedDevices
from aiodps.fleet.plan.run_folder import check_run_folder
from aiodps.fleet.plan.spec import RunOptions
from aiodps.fresh_files import write_fresh
from aiodps.pki import Authority
from aiodps.pki.files import CredentialFiles, create_file

STARTUP_TIMEOUT: Final = 20.0
"""Seconds until the emulator must be ready."""
SHUTDOWN_TIMEOUT: Final = 5.0
"""Seconds until it must have ended after SIGTERM."""
_POLL_INTERVAL: Final = 0.02
_CA: Final = "device-root"
_HUB: Final = "emulated.azure-devices.net"
_HOST: Final = "127.0.0.1"
_SERVER_CA: Final = "emulator-ca.pem"
_POLICY: Final = {
    "namespaceName": "devices",
    "certificateAuthorityName": "devices",
    "certificatePolicyName": "devices",
}
"""Certificates are issued to devices that ask for one."""
_MODULE: Final = ("aiodps", "emulator")
_ERROR: Final = "error: "
"""Begins the line with which a command says why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEmulator:
    """A run's emulator: a folder of files, and a process while a session of the run is active."""

    folder: Path

    @classmethod
    def for_run(cls, run: Path) -> LocalEmulator:
        """Return the emulator that belongs to a run folder."""
        return cls(folder=run.absolute().with_name(f"{run.absolute().name}.emulator"))

    @property
    def _ca(self) -> CredentialFiles:
        return CredentialFiles(directory=self.folder, name=_CA)

    @property
    def _group_key(self) -> Path:
        return self._path("group.key")

    def create(self) -> None:
        """Create a CA and a symmetric key, each with its enrollment group, unless they exist."""
        self._check()
        if self._ca.certificate.exists():
            return

        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = Authority.root(_CA)
        key = base64.b64encode(secrets.token_bytes(64)).decode()
        create_file(self._group_key, key.encode(), mode=0o600, overwrite=True)
        with_keys = {
            **_POLICY,
            "enrollmentGroupId": "devices-with-keys",
            "attestation": {"type": "symmetricKey", "symmetricKey": {"primaryKey": key}},
        }
        group = {
            **_POLICY,
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
        enrollments = json.dumps([group, with_keys])
        write_fresh(self._path("enrollments.json"), enrollments, mode=0o600)
        self._ca.write(root, overwrite=True)

    def devices(self, count: int, *, with_keys: bool = False) -> GeneratedDevices:
        """Return devices with certificates of the CA, or with keys of the group."""
        if with_keys:
            return GeneratedDevices(count=count, group_key_file=self._group_key)

        return GeneratedDevices(
            count=count, certificate=self._ca.certificate, private_key=self._ca.private_key
        )

    @contextlib.contextmanager
    def running(self, **options: Any) -> Iterator[dict[str, Any]]:
        """Run the emulator in a process of its own until the block ends; yield its ready line.

        An emulator that a killed run left behind is reused.

        Args:
            options: Options of `aiodps emulator`; None leaves one out.

        Raises:
            ConfigurationError: If it does not start.
        """
        self._check()
        process, facts = self._left_behind() or self._start(options)
        try:
            yield facts
        finally:
            _stop(process)
            self._path("emulator.json").unlink(missing_ok=True)

    def _check(self) -> None:
        """Refuse a folder that is a link or contains one: it may have come with the run's."""
        if self.folder.is_symlink():
            raise ConfigurationError(
                f"the emulator's folder {str(self.folder)!r} is a link",
                setting="emulator",
                hint="remove it, and start a new run of the devices",
            )

        check_run_folder(self.folder)

    def remove(self) -> None:
        """Delete the folder, and with it the CA's key."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _start(self, options: Mapping[str, Any]) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        ready = self._path("emulator.json")
        ready.unlink(missing_ok=True)
        arguments = {
            "https-port": 0,
            "mqtt-port": 0,
            "hub": _HUB,
            "verified-ca": self._ca.certificate,
            "enrollments": self._path("enrollments.json"),
            "state": self._path("emulator.sqlite"),
            "ready-file": ready,
            "ca-out": self._path(_SERVER_CA),
            "quiet": True,
            **options,
        }
        command = [sys.executable, "-m", *_MODULE, *_command_line(arguments)]
        log = self._path("emulator.log")
        log.unlink(missing_ok=True)
        with log.open("xb") as stream:
            # A session of its own: Ctrl-C is meant for the run, which still needs the emulator.
            process = subprocess.Popen(  # noqa: S603 (our own command)
                command, stdout=stream, stderr=stream, start_new_session=True
            )

        deadline = time.monotonic() + STARTUP_TIMEOUT
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                return process, self._facts()

            time.sleep(_POLL_INTERVAL)

        process.terminate()
        _reap(process)
        raise ConfigurationError(
            f"the emulator did not start: {_reason(log)}",
            setting="emulator",
            hint="run `aiodps emulator` on its own to see why",
        )

    def ready_line(self) -> dict[str, Any] | None:
        """Return the ready line of this run's emulator; None if it is not running."""
        match self._left_behind():
            case None:
                return None
            case process, facts:
                process.close()
                return facts

    def _left_behind(self) -> tuple[OwnProcess, dict[str, Any]] | None:
        """Find this run's emulator if it is still running; its file alone does not prove that."""
        ready = str(self._path("emulator.json"))
        try:
            facts = self._facts()
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None

        process = OwnProcess.find(facts["pid"], module=_MODULE, option=("--ready-file", ready))
        return None if process is None else (process, facts)

    def _facts(self) -> dict[str, Any]:
        """Return the ready line; address and CA are those we know, not those of the file.

        `admin_page` is the address of its page; None without an admin port.
        """
        facts = json.loads(self._path("emulator.json").read_text("utf-8"))
        return {
            **{name: facts[name] for name in ("pid", "id_scope", "https_port", "mqtt_port")},
            "host": _HOST,
            "ca_file": str(self._path(_SERVER_CA)),
            "admin_page": _admin_page(facts),
        }


def _admin_page(facts: Mapping[str, Any]) -> str | None:
    """Return the address of the emulator's page, with its token; None if it has none."""
    if "admin_url" not in facts:
        return None

    port = urlsplit(str(facts["admin_url"])).port
    return f"http://{_HOST}:{port}/?{urlencode({'token': facts['admin_token']})}"


def with_address(options: RunOptions, facts: Mapping[str, Any]) -> RunOptions:
    """Return a run's options with the address and the CA of a running emulator."""
    settings = options.settings.replace(
        id_scope=facts["id_scope"], endpoint=facts["host"], trust=facts["ca_file"]
    )
    https = facts["https_port"]
    ports = {"rest": https, "mqtt": facts["mqtt_port"], "mqtt-ws": https}
    return dataclasses.replace(options, settings=settings, ports=ports)


def _command_line(arguments: Mapping[str, Any]) -> Iterator[str]:
    for name, value in arguments.items():
        if value is not None:
            yield f"--{name.replace('_', '-')}"
            yield from () if value is True else (str(value),)


def _stop(process: subprocess.Popen[bytes] | OwnProcess) -> None:
    """Stop the emulator, whether this process or an earlier one started it."""
    if isinstance(process, OwnProcess):
        process.stop(seconds=SHUTDOWN_TIMEOUT)
    else:
        process.terminate()
        _reap(process)


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(SHUTDOWN_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _reason(log: Path) -> str:
    """Return the error that an emulator has printed, or else its last line."""
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    return (errors or lines or ["no output"])[-1]
