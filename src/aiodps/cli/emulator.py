"""`aiodps emulator`: a Device Provisioning Service on this machine, from the shell."""

from __future__ import annotations

import json
import logging
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click
from rich.text import Text

from aiodps.cli.emulator_files import (
    enrollments_with_keys,
    groups_by_ca,
    read_enrollments_file,
    read_faults_file,
    read_server_credential,
    trust_cas,
)
from aiodps.cli.output import Command, err, out, print_json, warn
from aiodps.errors import ConfigurationError
from aiodps.fresh_files import write_fresh
from aiodps.process.garbage_collection import few_full_collections

if TYPE_CHECKING:
    from aiodps.emulator import Emulator
    from aiodps.emulator.request_log.log import Exchange
    from aiodps.emulator.service.enrollments.store import Enrollment

EPILOG = """\b
Exit codes: 0 stopped by Ctrl-C or SIGTERM, 2 bad input or a port in use."""


OPTIONS = [
    click.Option(["--https-port"], type=click.IntRange(0, 65535), default=8443, show_default=True),
    click.Option(["--mqtt-port"], type=click.IntRange(0, 65535), default=8883, show_default=True),
    click.Option(["--id-scope"], metavar="S", help="Default: that of --state, or 0ne00000000."),
    click.Option(["--hub"], metavar="HOST", default="emulated-hub.azure-devices.net",
                 show_default=True, help="IoT hub for enrollments that name none."),
    click.Option(["--linked-hub", "linked_hubs"], multiple=True, metavar="HOST[=WEIGHT]",
                 help="Another IoT hub, with its share of hashed devices (1 to 1000);"
                      " repeatable."),
    click.Option(["--webhook-ca"], metavar="FILE",
                 help="CA certificates to trust for custom allocation webhooks."),
    click.Option(["--enrollments", "enrollments_file"], metavar="FILE",
                 help="JSON list of enrollments and groups, as the service API writes them."),
    click.Option(["--device-key", "device_keys"], multiple=True, metavar="ID=FILE",
                 help="Enroll a device with the symmetric key in FILE; repeatable."),
    click.Option(["--group-key", "group_keys"], multiple=True, metavar="NAME=FILE",
                 help="Enroll all devices whose keys are derived from the one in FILE;"
                      " repeatable."),
    click.Option(["--group-ca", "group_cas"], multiple=True, metavar="NAME=FILE",
                 help="Enroll all devices whose certificates come from the CA in FILE, which is"
                      " uploaded as verified; repeatable."),
    click.Option(["--verified-ca", "verified_cas"], multiple=True, metavar="FILE",
                 help="CA certificate to upload as verified; repeatable."),
    click.Option(["--service-key"], metavar="BASE64",
                 help="Key of the service API's owner. Default: a new one at each start."),
    click.Option(["--access-policy", "access_policies"], multiple=True, metavar="NAME=RIGHT,RIGHT",
                 help="Another policy for the service API, such as read=EnrollmentRead;"
                      " repeatable."),
    click.Option(["--ca-out"], type=Path, metavar="FILE",
                 help="File for the CA certificate that clients must trust."),
    click.Option(["--assign-after"], type=click.FloatRange(min=0), default=0.0, show_default=True,
                 metavar="S", help="Seconds a registration takes."),
    click.Option(["--retry-after"], type=click.IntRange(min=0), default=3, show_default=True,
                 metavar="S", help="Whole seconds devices are asked to wait."),
    click.Option(["--issued-days"], type=click.FloatRange(min=0, min_open=True), default=30.0,
                 show_default=True, metavar="N",
                 help="Validity of certificates that are issued to devices with a CSR."),
    click.Option(["--throttle"], is_flag=True,
                 help="Enforce the service's published limits, with 429 beyond them."),
    click.Option(["--remember-keys"], is_flag=True,
                 help="Remember a device's symmetric key for 30 minutes, as the service does."),
    click.Option(["--strict"], is_flag=True,
                 help="Refuse what the service merely tolerates, and name the rule."),
    click.Option(["--harsh/--calm"], default=False,
                 help="Inject faults that every client must cope with: throttling, delays,"
                      " duplicates. Default: --calm."),
    click.Option(["--faults", "faults_file"], metavar="FILE", help="Fault file, in TOML."),
    click.Option(["--seed"], type=int, metavar="N",
                 help="Seed of --harsh and --faults; the same seed gives the same faults."),
    click.Option(["--log-json"], metavar="FILE",
                 help="File for a line of JSON for each request; - is stdout."),
    click.Option(["--admin-port"], type=click.IntRange(0, 65535), metavar="P",
                 help="Serve the admin page and API on this port; 0 for any free one."),
    click.Option(["--admin-host"], default="127.0.0.1", show_default=True,
                 help="Address that the admin port listens on."),
    click.Option(["--tls-name", "server_names"], multiple=True, metavar="HOST",
                 help="Another name or address in the server's certificate; repeatable."),
    click.Option(["--tls-cert"], metavar="FILE",
                 help="Certificate of the server, then those of its CAs, in place of the"
                      " emulator's own."),
    click.Option(["--tls-key"], metavar="FILE",
                 help="Its private key; not needed if --tls-cert contains it."),
    click.Option(["--state"], metavar="FILE",
                 help="Keep state, CA and keys in this file; without it they are lost at the"
                      " end."),
    click.Option(["--ready-file"], type=Path, metavar="FILE",
                 help="File for a line of JSON once the emulator is ready."),
    click.Option(["--host"], default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.Option(["--i-know-this-is-not-secure", "beyond_loopback"], is_flag=True,
                 help="Allow a --host or --admin-host that other machines can reach."),
    click.Option(["--quiet"], is_flag=True, help="Do not print a line for each request."),
    click.Option(["--json", "as_json"], is_flag=True,
                 help="Print the JSON of --ready-file instead of text."),
]  # fmt: skip
_PREFIX = "AIODPS_EMULATOR_"


def variable_of(option: click.Option) -> str:
    """Return the environment variable of an option, named after its first flag."""
    return _PREFIX + option.opts[0].removeprefix("--").replace("-", "_").upper()


for _each in OPTIONS:
    _each.envvar, _each.show_envvar = variable_of(_each), True


@click.command(cls=Command, epilog=EPILOG, params=OPTIONS)
def command(
    *,
    enrollments_file: str | None,
    device_keys: tuple[str, ...],
    group_keys: tuple[str, ...],
    group_cas: tuple[str, ...],
    verified_cas: tuple[str, ...],
    ca_out: Path | None,
    faults_file: str | None,
    ready_file: Path | None,
    tls_cert: str | None,
    tls_key: str | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a Device Provisioning Service on this machine.

    Port 0 takes any free port. Without --state everything is kept in memory alone, and the CA is a
    new one at each start.

    Each option may be given as an environment variable. Flags take 1 or 0 there, and repeatable
    options take values with blanks between them.
    """
    _check_environment()
    if not quiet:
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s  %(message)s", datefmt="%H:%M:%S"
        )

    emulator_class = _import_emulator()
    groups = [*groups_by_ca(group_cas)]
    enrollments = (
        *read_enrollments_file(enrollments_file),
        *enrollments_with_keys(device_keys, group_keys),
        *(group for group, _ in groups),
    )
    dps = emulator_class(
        enrollments=enrollments,
        on_exchange=None if quiet else print_exchange,
        faults=read_faults_file(faults_file),
        server_credential=read_server_credential(tls_cert, tls_key),
        **options,
    )
    for name in dict.fromkeys((*verified_cas, *(path for _, path in groups))):
        trust_cas(dps, name)

    _check_references(dps, enrollments)
    with (
        _ca_path(ca_out) as ca_file,
        _ready_file_of_this(ready_file),
        few_full_collections(),
        # Where the event loop handles no signals, Ctrl-C cancels what runs.
        suppress(KeyboardInterrupt),
    ):
        anyio.run(_run, dps, ca_file, ready_file, as_json)


def _import_emulator() -> type[Emulator]:
    """Import the emulator, and raise this process's limit of connections for it."""
    from aiodps.emulator import Emulator  # noqa: PLC0415 (an extra)
    from aiodps.emulator.connections.connection_limit import (  # noqa: PLC0415 (idem)
        raise_descriptor_limit,
    )

    raise_descriptor_limit()
    return Emulator


def _check_environment() -> None:
    """Warn of environment variables that look like options of this command and are not."""
    known = {variable_of(each) for each in OPTIONS}
    unknown = sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known)
    if unknown:
        warn(f"not an option of the emulator: {', '.join(unknown)}")


async def _run(dps: Emulator, ca_file: Path, ready_file: Path | None, as_json: bool) -> None:  # noqa: FBT001 (anyio.run passes positions only)
    """Serve until a signal to stop."""
    with _stop_signal() as stopped:
        async with dps:
            _write(ca_file, dps.ca_pem, setting="ca_out")
            facts = _facts(dps, ca_file)
            if ready_file is not None:
                line = json.dumps(facts).encode() + b"\n"
                _write(ready_file, line, setting="ready_file", private=True)

            if as_json:
                print_json(facts)
            else:
                _welcome(dps, ca_file)

            await stopped()


@contextmanager
def _stop_signal() -> Iterator[Callable[[], Awaitable[object]]]:
    """Return what waits for SIGINT or SIGTERM.

    On Windows event loops handle no signals: it waits until Ctrl-C cancels it.
    """
    with ExitStack() as handled:
        receiver: AsyncIterator[object] | None = None
        with suppress(NotImplementedError):
            both = anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM)
            receiver = handled.enter_context(both)

        yield anyio.sleep_forever if receiver is None else receiver.__anext__


def _facts(dps: Emulator, ca_file: Path) -> dict[str, Any]:
    token = {} if dps.admin is None else {"admin_token": dps.admin.token}
    return {**dps.facts(), **token, "ca_file": str(ca_file)}


@contextmanager
def _ca_path(ca_out: Path | None) -> Iterator[Path]:
    """Return the path of the CA file; without --ca-out it is removed at the end."""
    if ca_out is not None:
        yield ca_out.absolute()
        return

    with tempfile.TemporaryDirectory(prefix="aiodps-emulator-") as directory:
        yield Path(directory, "ca.pem")


@contextmanager
def _ready_file_of_this(path: Path | None) -> Iterator[None]:
    """Remove the ready file of an earlier emulator now, and that of this one at the end.

    A reader must not mistake one for the other. It says that an emulator runs, and holds secrets.
    """
    if path is None:
        yield
        return

    with _writing(path, setting="ready_file"):
        path.unlink(missing_ok=True)

    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _check_references(dps: Emulator, enrollments: Iterable[Enrollment]) -> None:
    """Refuse groups that refer to a CA certificate which is not uploaded."""
    from aiodps.emulator.service.enrollment_rules import (  # noqa: PLC0415 (an extra)
        as_configuration_error,
        check_ca_references,
    )

    for each in enrollments:
        with as_configuration_error(each):
            check_ca_references(each, certificates=dps.service.certificates)


def _write(path: Path, content: bytes, *, setting: str, private: bool = False) -> None:
    """Write a file atomically; a private one is readable by its owner alone."""
    with _writing(path, setting=setting):
        write_fresh(path, content.decode(), mode=0o600 if private else 0o666)


@contextmanager
def _writing(path: Path, *, setting: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ConfigurationError(
            f"{str(path)!r} cannot be written: {exc.strerror}",
            setting=setting,
            hint="check the directory and its permissions",
        ) from exc


def print_exchange(exchange: Exchange) -> None:
    """Print a line for a request; without rich, which takes longer than the request."""
    who = exchange.registration_id or "", exchange.certificate or "no certificate"
    fault = "" if exchange.fault is None else f"[{exchange.fault}]"
    fields = (exchange.what, *who, exchange.message or "", fault)
    what, *rest = ("".join(c if c.isprintable() else "?" for c in field[:200]) for field in fields)
    good = 0 < exchange.status_code < 400 and exchange.message is None  # noqa: PLR2004 (where errors begin)
    colour = "green" if good else "red"
    status = click.style(f"{exchange.status_code or '---'}", colour)
    took = f"{exchange.took * 1000:6.1f} ms"
    head = f"{time.strftime('%H:%M:%S')}  {exchange.transport:5}  {status}  {took}  {what:16}"
    click.echo("  ".join((head, *filter(None, rest))), err=True)


def _welcome(dps: Emulator, ca_file: Path) -> None:
    """Print addresses, secrets and the next commands."""
    host = f"[{dps.host}]" if ":" in dps.host else dps.host
    base = f"https://{host}:{dps.https_port}"
    facts = {
        "HTTPS": base,
        "MQTT": f"{host}:{dps.mqtt_port} (TLS, MQTT 3.1.1)",
        "id scope": dps.id_scope,
        "hub": dps.hub,
        "service": "\n          ".join(dps.connection_strings.values()),
        "trust": f"{ca_file} (for tests only)",
    }
    if dps.admin is not None:
        facts["admin"] = f"{dps.admin.url}/?token={dps.admin.token}"

    err.print(Text("A Device Provisioning Service on this machine", "bold"))
    for name, value in facts.items():
        err.print(Text.assemble((f"{name:10}", "dim"), value))

    out.print(
        _NEXT.format(base=base, scope=dps.id_scope, ca=ca_file, host=dps.host, port=dps.https_port)
    )
    err.print(Text("Press Ctrl-C to stop.", "dim"))


_NEXT = """
Register an enrolled device with curl, as in Microsoft's articles:
  curl --cacert {ca} \\
    --cert device_chain.pem --key device_key.pem -X PUT \\
    -H 'Content-Type: application/json' -d '{{"registrationId": "DEVICE"}}' \\
    '{base}/{scope}/registrations/DEVICE/register?api-version=2019-03-31'
or with aiodps:
  aiodps provision --id-scope {scope} --endpoint {host} --port {port} \\
    --transport rest --trust {ca} \\
    --cert device_chain.pem --key device_key.pem
Enroll devices with --enrollments FILE, those of a CA as in
  aiodps emulator --group-ca line-4=certs/my-root_cert.pem
or one with a key as in
  aiodps keys new --out sensor-8.key
  aiodps emulator --device-key sensor-8=sensor-8.key
  aiodps provision --registration-id sensor-8 --symmetric-key-file sensor-8.key ...
Verify a CA with --group-ca, --verified-ca FILE, or by proof of possession as in Azure, with PUT,
POST .../generateVerificationCode and POST .../verify at
  {base}/subscriptions/S/resourceGroups/G/providers/Microsoft.Devices/provisioningServices/D/certificates/NAME
"""
