"""`aiodps demo`: provisioning from certificates to assignments, on this machine, in seconds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import click
import httpx
import rich.box
from rich.table import Table
from rich.text import Text

from aiodps.attestation.issuance.key_spec import KeySpec
from aiodps.attestation.issuance.saving import save_issued
from aiodps.cli.demo_devices import DemoDevices, Device
from aiodps.cli.output import Command, StepPrinter, err, out, print_json
from aiodps.client import ProvisioningClient
from aiodps.errors import ConfigurationError, ProvisioningError
from aiodps.fresh_files import write_fresh
from aiodps.models import Assignment, Phase
from aiodps.network.event_loop import backend_options
from aiodps.network.tls_contexts import fresh_context
from aiodps.network.trust import Trust
from aiodps.observe import PhaseTimes, Step
from aiodps.pki import Credential

STARTUP = 60.0
"""Seconds in which the emulator must be ready on a busy machine."""

_ARM = (
    "/subscriptions/demo/resourceGroups/demo/providers/Microsoft.Devices"
    "/provisioningServices/demo/certificates/demo-root"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a device."""

    device: Device
    assignment: Assignment
    times: PhaseTimes
    seconds: float
    issued: Path | None = None
    """File with the certificate that was issued to it, and the key; None if it asked for none."""


EPILOG = """\b
Exit codes: 0 all assigned, 1 refused by the emulator, 2 bad input, 3 connection or TLS,
4 timeout, 130 Ctrl-C, 143 SIGTERM."""


@click.command(cls=Command, epilog=EPILOG)
@click.option("--out", metavar="DIR", help="Keep certificates and enrollments in this folder.")
@click.option("--issue", is_flag=True, help="Also have certificates issued to two devices.")
@click.option("--tpm", is_flag=True, help="Also provision a device with a TPM in software.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(*, out: str | None, issue: bool, tpm: bool, as_json: bool) -> None:
    """Provision ten devices with an emulator in its own process.

    Makes a root, an intermediate, device certificates and symmetric keys, proves possession of the
    root, enrolls the devices, and provisions one of each kind: {certificate of an individual
    enrollment, of a group by root CA, of a group by intermediate CA, key of an individual
    enrollment, key derived from a group's} x {rest, mqtt}. With --issue, two devices with keys ask
    for a certificate as well; with --tpm, there is a device with a TPM in software, over rest.
    """
    with _folder(out) as folder:
        began = time.monotonic()
        outcomes = anyio.run(
            _demo, folder, issue, tpm, not as_json, backend_options=backend_options()
        )
        if as_json:
            print_json(_facts(outcomes, time.monotonic() - began))
        else:
            _show(outcomes)
            _next(folder, kept=out is not None)


@contextlib.contextmanager
def _folder(kept: str | None) -> Iterator[Path]:
    if kept is not None:
        path = Path(kept)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigurationError(
                f"the folder {str(path)!r} cannot be written to: {exc.strerror}",
                setting="out",
                hint="give a folder that you have write access to",
            ) from exc

        yield path
        return

    with tempfile.TemporaryDirectory(prefix="aiodps-demo-") as directory:
        yield Path(directory)


async def _demo(folder: Path, issue: bool, tpm: bool, talk: bool) -> list[Outcome]:  # noqa: FBT001 (anyio.run passes positions only)
    demo = DemoDevices.make(folder, issue=issue, tpm=tpm)
    count = "six" if issue else "four"
    _say(talk, f"credentials: a root, an intermediate, six certificates (EC P-256), {count} keys")
    _say(talk, "emulator: starting in its own process")
    async with _emulator(demo) as server:
        _say(
            talk,
            f"emulator: https on {server['https_port']}, mqtt on {server['mqtt_port']}, "
            f"id scope {server['id_scope']}",
        )
        await _prove_possession(demo, server, talk=talk)
        _say(talk, f"devices: provisioning {len(demo.devices)} at once\n")
        return await _provision_all(demo, server, talk=talk)


def _say(talk: bool, text: str) -> None:  # noqa: FBT001 (private, one caller's flag)
    if talk:
        err.print(Text(text, "bold"))


@contextlib.asynccontextmanager
async def _emulator(demo: DemoDevices) -> AsyncIterator[dict[str, Any]]:
    """Run `aiodps emulator`, as a user would."""
    ready = demo.folder / "emulator.json"
    ready.unlink(missing_ok=True)
    enrollments = demo.folder / "enrollments.json"
    write_fresh(enrollments, json.dumps(demo.enrollments(), indent=1), mode=0o600)  # has keys
    command = [
        *(sys.executable, "-m", "aiodps", "emulator", "--quiet", "--json"),
        *("--https-port", "0", "--mqtt-port", "0", "--retry-after", "2"),
        *("--hub", "demo.azure-devices.net"),
        *("--enrollments", str(enrollments), "--ready-file", str(ready)),
        *("--ca-out", str(demo.folder / "emulator-ca.pem")),
    ]
    async with await anyio.open_process(
        command, stdout=asyncio.subprocess.PIPE, stderr=None
    ) as process:
        try:
            yield await _ready(process, anyio.Path(ready))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()


async def _ready(process: anyio.abc.Process, file: anyio.Path) -> dict[str, Any]:
    with anyio.move_on_after(STARTUP):
        while process.returncode is None:
            if await file.exists():
                return json.loads(await file.read_text())  # type: ignore[no-any-return]  # JSON

            await anyio.sleep(0.02)

    raise ConfigurationError(
        f"the emulator did not start: {await _reason(process)}",
        setting="emulator",
        hint="run `aiodps emulator` by itself to see why",
    )


async def _reason(process: anyio.abc.Process) -> str:
    """Return the message of the error with which the emulator ended, in JSON."""
    if process.returncode is None or process.stdout is None:
        return f"it was not ready after {STARTUP:g} s"

    try:
        return str(json.loads(await process.stdout.receive())["message"])
    except (anyio.EndOfStream, ValueError, KeyError):
        return f"it ended with {process.returncode}"


async def _prove_possession(demo: DemoDevices, server: dict[str, Any], *, talk: bool) -> None:
    """Upload the root and prove possession with a verification code, as in Azure's portal."""
    base = f"https://{server['host']}:{server['https_port']}{_ARM}"
    async with httpx.AsyncClient(
        verify=fresh_context(Trust.of(Path(server["ca_file"]))),
        trust_env=False,
        headers={"Authorization": f"Bearer {server['bearer_token']}"},
        params={"api-version": "2021-10-15"},
    ) as http:
        uploaded = await _call(http, "PUT", base, demo.root)
        code = await _call(http, "POST", f"{base}/generateVerificationCode", etag=uploaded["etag"])
        text = code["properties"]["verificationCode"]
        _say(talk, f"root: uploaded, verification code {text[:8]}...")
        proof = demo.root.verification(text)
        verified = await _call(http, "POST", f"{base}/verify", proof, etag=code["etag"])
        _say(talk, f"root: possession proved, verified: {verified['properties']['isVerified']}")


async def _call(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    credential: Credential | None = None,
    *,
    etag: str | None = None,
) -> dict[str, Any]:
    pem = None if credential is None else b64encode(credential.certificate_pem).decode()
    body = None if pem is None else {"certificate": pem}
    headers = {} if etag is None else {"If-Match": etag}
    response = await http.request(method, url, json=body, headers=headers)
    response.raise_for_status()
    return response.json()  # type: ignore[no-any-return]  # JSON


async def _provision_all(
    demo: DemoDevices, server: dict[str, Any], *, talk: bool
) -> list[Outcome]:
    width = max(len(device.registration_id) for device in demo.devices)
    printer = StepPrinter(name_width=width) if talk else None
    outcomes: dict[str, Outcome] = {}
    failures: list[ProvisioningError] = []

    async def one(device: Device) -> None:
        try:
            outcomes[device.registration_id] = await _provision(server, device, printer)
        except ProvisioningError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        for device in demo.devices:
            tasks.start_soon(one, device)

    if failures:
        raise failures[0]

    return [outcomes[device.registration_id] for device in demo.devices]


async def _provision(
    server: dict[str, Any], device: Device, printer: StepPrinter | None
) -> Outcome:
    client = ProvisioningClient(
        id_scope=server["id_scope"],
        endpoint=server["host"],
        port=server["https_port" if device.transport == "rest" else "mqtt_port"],
        transport=device.transport,
        trust=Path(server["ca_file"]),
        timeout=60.0,
    )
    times = PhaseTimes()

    def watch(step: Step) -> None:
        times(step)
        if printer is not None:
            printer(step)

    began = time.monotonic()
    keys = device.keys_out
    assignment = await client.provision(
        attestation=device.attestation(),
        issue=None if keys is None else KeySpec(),
        on_step=watch,
    )
    took = time.monotonic() - began
    issued = None if keys is None else await save_issued(assignment, keys)
    return Outcome(device, assignment, times, took, issued)


def _show(outcomes: list[Outcome]) -> None:
    table = Table(
        title="Every device is assigned; times in milliseconds",
        title_style="bold green",
        box=rich.box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    for name in ("path\n  transport", "assigned hub\n  device id"):
        table.add_column(name, no_wrap=True)

    for name in (*_COLUMNS, "total"):
        table.add_column(name, justify="right", no_wrap=True)

    for one in outcomes:
        took = one.times.seconds
        times = [sum(took.get(each, 0.0) for each in phases) for phases in _COLUMNS.values()]
        table.add_row(
            f"{one.device.way}\n  {one.device.transport}",
            f"{one.assignment.assigned_hub}\n  {one.assignment.device_id}",
            *(f"{seconds * 1000:.0f}" for seconds in (*times, one.seconds)),
        )

    err.print()
    out.print(table)
    for one in outcomes:
        issued = one.assignment.issued
        if issued is not None:
            out.print(
                f"{issued.registration_id} has a certificate until {issued.expires:%Y-%m-%d}"
            )


_COLUMNS = {
    "connect": (Phase.DNS, Phase.QUEUE, Phase.TCP, Phase.TLS, Phase.SESSION),
    "register": (Phase.REGISTER,),
    "wait": (Phase.WAIT,),
    "poll": (Phase.POLL,),
}
"""The columns of the table; `--json` has each phase."""


def _next(folder: Path, *, kept: bool) -> None:
    """Print the next commands."""
    out.print()
    for label, command in (
        ("next:  make certificates of your own:", "aiodps certs root my-root --out certs"),
        ("", "aiodps certs device sensor-7 my-root --out certs"),
        (
            "       run an emulator that takes them:",
            "aiodps emulator --ca-out ca.pem --group-ca line-4=certs/my-root_cert.pem",
        ),
        ("       and provision the device:", "with the command that the emulator prints"),
    ):
        out.print(f"{label:41}{command}")

    if kept:
        out.print(f"       look at what was made:            ls {folder}")


def _facts(outcomes: list[Outcome], seconds: float) -> dict[str, Any]:
    return {
        "seconds": round(seconds, 3),
        "devices": [
            {
                "path": one.device.way,
                "transport": one.device.transport,
                "registration_id": one.device.registration_id,
                "assigned_hub": one.assignment.assigned_hub,
                "device_id": one.assignment.device_id,
                "issued_credential": None if one.issued is None else str(one.issued),
                "seconds": round(one.seconds, 3),
                "phases": {each.value: round(took, 4) for each, took in one.times.seconds.items()},
            }
            for one in outcomes
        ],
    }
