"""Runs real clients: an emulator that knows the matrix, and a process for each device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from tests import certificates
from tests.interop import matrix
from tests.interop.matrix import Device, Refusal

from aiodps.emulator import Emulator
from aiodps.emulator.service.enrollments.store import read_enrollments
from aiodps.pki import Authority, Credential

CLIENTS: Final = Path(__file__).with_name("clients")
PID: Final = os.getpid()
HOST: Final = f"127.{PID >> 16 & 0xFF}.{PID >> 8 & 0xFF}.{PID & 0xFF or 1}"
"""An address of our own: some clients hard-code the ports 443 and 8883."""
AT_ONCE: Final = 6
PATIENCE: Final = 90.0
"""Seconds after which a client hangs."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client that provisions one device or administers an instance."""

    command: tuple[str, ...]
    """A script of `clients` and its arguments."""
    says: Mapping[Refusal, str] = field(default_factory=dict, hash=False)
    """What stands in its error if it is refused."""
    environment: str | None = None
    """What it lives in; None if it needs nothing that is not here anyway."""
    fixed_ports: bool = False
    """Whether it knows no ports but 443 and 8883."""
    emulator: tuple[tuple[str, Any], ...] = ()
    """Options of the emulator that it is tried against."""

    def __str__(self) -> str:
        """Name it in tests."""
        options = (name for name, _ in self.emulator)
        return "-".join((*self.command[1:], *options)) or self.command[0].partition("_")[0]

    @property
    def words(self) -> list[str]:
        """What is run."""
        script, *arguments = self.command
        return [interpreter(self), str(CLIENTS / script), *arguments]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a device."""

    answer: Mapping[str, Any]
    """What its client printed."""
    registers: int
    """How many register requests reached the emulator."""


def check(client: Client, name: str) -> None:
    """Hold what came of a device to what its enrollment says."""
    device, outcome = matrix.devices()[name], provision_all(client)[name]
    if device.refusal is None:
        assigned = {"status": "assigned", "hub": "emulated-hub.azure-devices.net"}
        assert outcome.answer == {**assigned, "device_id": device.device_id}
    else:
        assert client.says[device.refusal] in str(outcome.answer.get("error")), outcome.answer

    again = {"harsh", "faults"} & set(dict(client.emulator))
    assert outcome.registers == 1 or (again and outcome.registers)


@cache
def provision_all(client: Client) -> Mapping[str, Outcome]:
    """Let a client provision every device of the matrix; once, however many tests ask."""
    with tempfile.TemporaryDirectory() as directory:
        return anyio.run(_provision_all, client, Path(directory))


async def _provision_all(client: Client, directory: Path) -> Mapping[str, Outcome]:
    words = client.words
    answers: dict[str, Mapping[str, Any]] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def provision(device: Device) -> None:
        env = service | credentials(device, directory)
        async with limiter:
            answers[device.name] = await run(words, env)

    documents = [*matrix.groups(), *matrix.enrollments()]
    dps = emulator(client, documents)
    async with dps, anyio.create_task_group() as tasks:
        service = variables(dps, directory)
        for device in matrix.devices().values():
            tasks.start_soon(provision, device)

    registers = dps.counts.register_requests
    return {
        name: Outcome(answer=answer, registers=registers.get(name, 0))
        for name, answer in answers.items()
    }


def tell(client: Client) -> Mapping[str, Any]:
    """Let a client administer an instance, and return what it saw.

    The instance has the group `root`, and a device `registered` that came in through it.
    """
    with tempfile.TemporaryDirectory() as directory:
        return anyio.run(_tell, client, Path(directory))


async def _tell(client: Client, directory: Path) -> Mapping[str, Any]:
    ca = Authority.root("a root to prove")
    certificate, key = certificates.write(ca, directory, "ca")
    files = {"DPS_GROUP_CERTIFICATE_FILE": str(certificate), "DPS_GROUP_KEY_FILE": str(key)}
    device = Device(name="registered", shows=certificates.root().device("registered"))
    async with emulator(client, matrix.groups()[:1]) as dps:
        env = variables(dps, directory) | credentials(device, directory) | files
        env["DPS_CONNECTION_STRING"] = dps.connection_string
        env["DPS_BEARER_TOKEN"] = dps.bearer_token
        env["DPS_BEARER_TOKEN"] = dps.bearer_token
        registered = await run(["sh", str(CLIENTS / "curl_device.sh")], env)
        assert registered.get("status") == "assigned"
        return await run(client.words, env)


def emulator(client: Client, documents: Iterable[dict[str, Any]]) -> Emulator:
    """Make an emulator with these enrollments, and the CAs of the matrix verified."""
    dps = Emulator(
        host=HOST,
        https_port=443 if client.fixed_ports else 0,
        mqtt_port=8883 if client.fixed_ports else 0,
        retry_after=1,
        enrollments=read_enrollments(json.dumps(list(documents))),
        **dict(client.emulator),
    )
    for name, ca in (("root", certificates.root()), ("disabled", matrix.disabled_root())):
        dps.service.certificates.upload(name, ca.certificate, verified=True, now=time.time())

    return dps


def interpreter(client: Client) -> str:
    """Find what runs a client's script."""
    home = None if client.environment is None else environment(client.environment)
    match Path(client.command[0]).suffix:
        case ".js":
            return "node"
        case ".sh":
            return "sh"
        case _:
            return sys.executable if home is None else str(home / "bin" / "python")


def environment(name: str) -> Path:
    """Find the environment of a client.

    A client that cannot be tried is a failure: nothing is skipped.
    """
    home = os.environ.get("INTEROP_ENVIRONMENTS", "")
    path = Path(home, name)
    if not home or not path.is_dir():
        pytest.fail(f"the environment of {name} is not there: run `nox -s interop`", pytrace=False)

    return path


def variables(dps: Emulator, directory: Path) -> dict[str, str]:
    """Tell a client where the service is."""
    ca = directory / "ca.pem"
    ca.write_bytes(dps.ca_pem)
    return {
        "PATH": os.environ["PATH"],
        "NODE_PATH": os.environ.get("INTEROP_ENVIRONMENTS", "") + "/node/node_modules",
        "NODE_EXTRA_CA_CERTS": str(ca),
        "DPS_HOST": dps.host,
        "DPS_HTTPS_PORT": str(dps.https_port),
        "DPS_MQTT_PORT": str(dps.mqtt_port),
        "DPS_ID_SCOPE": dps.id_scope,
        "DPS_CA_FILE": str(ca),
    }


def credentials(device: Device, directory: Path) -> dict[str, str]:
    """Give a client what its device proves itself with."""
    known = {"DPS_REGISTRATION_ID": device.name}
    match device.shows:
        case Credential() as credential:
            certificate, key = certificates.write(credential, directory, device.name)
            files = {"DPS_CERTIFICATE_FILE": str(certificate), "DPS_KEY_FILE": str(key)}
            return known | files
        case symmetric_key:
            return known | {"DPS_SYMMETRIC_KEY": symmetric_key}


async def run(words: list[str], env: Mapping[str, str]) -> Mapping[str, Any]:
    """Run a client and read the line of JSON that it prints."""
    with anyio.move_on_after(PATIENCE):
        done = await anyio.run_process(words, check=False, stderr=subprocess.PIPE, env=env)
        if done.returncode == 0:
            answer: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
            return answer

        return {"crash": done.stderr.decode(errors="replace")}

    return {"hangs": f"no end after {PATIENCE} s"}
