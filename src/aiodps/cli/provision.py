"""`aiodps provision`: provisions one device."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args

import anyio
import click
from rich.table import Table
from rich.text import Text

from aiodps.attestation.issuance.request import IssuedKeyType
from aiodps.attestation.issuance.saving import check_keys_folder, save_issued
from aiodps.cli.output import Command, StepPrinter, err, out, print_json
from aiodps.client import ProvisioningClient
from aiodps.errors import ConfigurationError
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read
from aiodps.input_files.text import decode, parse_json
from aiodps.models import Assignment, JsonObject
from aiodps.printable import printable
from aiodps.registration.retry import RetryPolicy
from aiodps.settings import Settings
from aiodps.tpm.hardware import DEFAULT_TCTI
from aiodps.transports import AUTO, TRANSPORTS

_PORTS = ", ".join(f"{kind().port} for {name}" for name, kind in TRANSPORTS.items())

EPILOG = """\b
Exit codes: 0 assigned, 1 refused by the service, 2 bad input, 3 not reachable or TLS, 4 timeout,
130 Ctrl-C, 143 SIGTERM.
Each option may also be set as AIODPS_<NAME> or in a TOML file named by --config."""


@click.command(cls=Command, epilog=EPILOG)
@click.option("--id-scope", metavar="S", help="Id scope of the DPS instance, like 0ne00012ABC.")
@click.option("--cert", metavar="FILE", help="Device certificate, with its intermediates if any.")
@click.option("--key", metavar="FILE", help="Private key; not needed if --cert contains it.")
@click.option(
    "--key-password-file", metavar="FILE", help="Password of the key, in the first line."
)
@click.option(
    "--symmetric-key-file", metavar="FILE", help="Symmetric key in base64, in place of --cert."
)
@click.option(
    "--group-key-file", metavar="FILE", help="Key of an enrollment group, to derive the device's."
)
@click.option(
    "--tpm",
    metavar="[TCTI]",
    is_flag=False,
    flag_value=DEFAULT_TCTI,
    help=f"Use the TPM of this machine, over REST. Default of TCTI: {DEFAULT_TCTI}.",
)
@click.option("--tpm-owner-auth-file", metavar="FILE", help="Password of the TPM's owner.")
@click.option(
    "--tpm-endorsement-auth-file", metavar="FILE", help="Password of its endorsement hierarchy."
)
@click.option(
    "--secondary-cert",
    "secondary_certificate",
    metavar="FILE",
    help="Certificate to use if the service refuses the first credential.",
)
@click.option(
    "--secondary-key",
    "secondary_private_key",
    metavar="FILE",
    help="Its private key; not needed if --secondary-cert contains it.",
)
@click.option(
    "--secondary-key-password-file", metavar="FILE", help="Password of the secondary key."
)
@click.option(
    "--secondary-symmetric-key-file",
    metavar="FILE",
    help="Symmetric key to use if the service refuses the first credential.",
)
@click.option(
    "--secondary-group-key-file",
    metavar="FILE",
    help="Key of an enrollment group to derive that key from.",
)
@click.option(
    "--registration-id", metavar="R", help="Default: the certificate's CN; needed with a key."
)
@click.option(
    "--issue",
    is_flag=False,
    flag_value="p256",
    type=click.Choice(get_args(IssuedKeyType)),
    help="Ask for a certificate, for a new key. Default: p256.",
)
@click.option("--keys-out", metavar="DIR", help="Folder for that certificate and its key.")
@click.option("--transport", type=click.Choice([AUTO, *TRANSPORTS]), help="Default: auto.")
@click.option("--endpoint", metavar="HOST", help="Default: Azure's global endpoint.")
@click.option("--port", type=int, metavar="N", help=f"Default: {_PORTS}.")
@click.option("--trust", metavar="FILE", help="CAs of the service; also: azure, certifi, system.")
@click.option("--payload", metavar="JSON|@FILE", help="Object for the custom allocation webhook.")
@click.option("--timeout", type=float, metavar="S", help="Seconds until assigned. Default: 90.")
@click.option(
    "--attempts",
    type=int,
    metavar="N",
    help="Consecutive failures after which it gives up. Default: none, but 5 if the name does not"
    " exist or the port refuses connections.",
)
@click.option(
    "--hub-suffix", "hub_suffixes", multiple=True, metavar=".DOMAIN",
    help="Domain an assigned hub may be in; repeatable. Default: Azure's.",
)  # fmt: skip
@click.option("--config", metavar="FILE", help="TOML file with settings.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--trace", is_flag=True, help="Show each message that is sent or received.")
def command(
    *,
    payload: str | None,
    attempts: int | None,
    as_json: bool,
    trace: bool,
    keys_out: str | None,
    cert: str | None,
    key: str | None,
    **options: Any,
) -> None:
    """Provision one device: register it, wait until it is assigned, and show its hub."""
    settings = Settings.load(
        **{name: None if value == () else value for name, value in options.items()},
        certificate=cert,
        private_key=key,
    )
    keys = _keys_folder(settings, keys_out)
    client = ProvisioningClient.from_settings(settings, retry=RetryPolicy(max_failures=attempts))
    on_step = StepPrinter(wire=trace) if trace or not as_json else None

    async def provision() -> tuple[Assignment, Path | None]:
        assigned = await client.provision(payload=_payload(payload), on_step=on_step)
        return assigned, None if keys is None else await save_issued(assigned, keys)

    facts = as_facts(*anyio.run(provision))
    if as_json:
        print_json(facts)
    else:
        show(facts)


def _keys_folder(settings: Settings, given: str | None) -> Path | None:
    """Return the folder for what is issued; None if nothing is asked for."""
    if (settings.issue is None) is not (given is None):
        raise ConfigurationError(
            "a certificate is asked for, and there is no folder for it"
            if given is None
            else "there is a folder for a certificate, and none is asked for",
            setting="keys_out",
            hint="give both --issue and --keys-out DIR, or none of them",
        )

    if given is None:
        return None

    check_keys_folder(Path(given))
    return Path(given)


def _payload(text: str | None) -> JsonObject | None:
    if text is None:
        return None

    origin, source = Origin(what="payload", kind="payload"), text
    if text.startswith("@"):
        origin = Origin.file(text[1:], what="payload file", kind="payload")
        source = decode(read(origin), origin)

    return parse_json(source, origin)  # type: ignore[no-any-return]  # checked by the client


def as_facts(assignment: Assignment, issued: Path | None) -> dict[str, Any]:
    """Return an assignment as plain data, without the raw response."""
    fields = dataclasses.fields(assignment)
    facts = {field.name: getattr(assignment, field.name) for field in fields}
    facts.pop("raw")
    if issued is not None:
        # The file has it, with its key.
        del facts["issued_certificate_chain"]
        facts["issued_credential"] = str(issued)

    return facts


def show(facts: dict[str, Any]) -> None:
    """Show an assignment as a table."""
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value not in {None, ()} if not isinstance(value, dict | list) else True:
            table.add_row(
                Text(name.replace("_", " "), "dim"), Text(printable(str(value)), overflow="fold")
            )

    err.print()
    out.print(table)
