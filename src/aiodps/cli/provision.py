"""`aiodps provision`: provisions one device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, get_args

import anyio
import click
from rich.table import Table
from rich.text import Text

from aiodps.assignments.cache import AssignmentCache
from aiodps.attestation.issuance.key_spec import IssuedKeyType
from aiodps.attestation.issuance.saving import check_keys_folder, save_issued
from aiodps.cli.device_options import device_options, run_options, settings_of
from aiodps.cli.output import (
    Command,
    StepLine,
    StepPrinter,
    err,
    errors_as_exit_codes,
    out,
    print_json,
)
from aiodps.client import ProvisioningClient
from aiodps.errors import ConfigurationError
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read
from aiodps.input_files.requests import read_request
from aiodps.input_files.text import decode, parse_json
from aiodps.models import Assignment, JsonObject, RegistrationRecord
from aiodps.network.event_loop import backend_options
from aiodps.observe import Observer
from aiodps.printable import printable
from aiodps.registration.retry import RetryPolicy

EPILOG = """\b
Exit codes: 0 assigned, 1 refused by the service, 2 bad input, 3 connection or TLS, 4 timeout,
130 Ctrl-C, 143 SIGTERM.
Each option may also be set as AIODPS_<NAME> or in a TOML file named by --config."""


class ProvisionCommand(Command):
    """A command whose registration may go on at the service after Ctrl-C."""

    exit_codes: Callable[..., AbstractContextManager[None]] = staticmethod(
        partial(
            errors_as_exit_codes,
            resume="run it again; a registration that the service has accepted continues there",
        )
    )


@click.command(cls=ProvisionCommand, epilog=EPILOG)
@device_options
@click.option(
    "--issue",
    is_flag=False,
    flag_value="p256",
    type=click.Choice(get_args(IssuedKeyType)),
    help="Ask for a certificate, for a new key. Default: p256.",
)
@click.option(
    "--csr", metavar="FILE", help="Ask for a certificate for your own key, with this request."
)
@click.option("--keys-out", metavar="DIR", help="Folder for that certificate and its key.")
@click.option(
    "--cache",
    "cache_folder",
    metavar="DIR",
    help="Folder that keeps the assignment: if it is there, nothing is sent.",
)
@click.option("--force", is_flag=True, help="Register even if --cache has the assignment.")
@click.option("--payload", metavar="JSON|@FILE", help="Object for the custom allocation webhook.")
@click.option("--watch", is_flag=True, help="Show the latest step in one line, on a terminal.")
@run_options
def command(
    *,
    payload: str | None,
    attempts: int | None,
    as_json: bool,
    trace: bool,
    watch: bool,
    csr: str | None,
    keys_out: str | None,
    cache_folder: str | None,
    force: bool,
    **options: Any,
) -> None:
    """Provision one device: register it, wait until it is assigned, and show its hub."""
    settings = settings_of(**options)
    request = None if csr is None else read_request(csr)
    keys = _keys_folder(keys_out, wanted=settings.issue is not None or request is not None)
    cache = None if cache_folder is None else AssignmentCache(cache_folder)
    client = ProvisioningClient.from_settings(settings, retry=RetryPolicy(max_failures=attempts))
    steps = _steps(trace=trace, watch=watch, as_json=as_json)

    async def provision() -> tuple[Assignment, Path | None]:
        assigned = await client.provision(
            payload=_payload(payload), csr=request, cache=cache, force=force, on_step=on_step
        )
        return assigned, None if keys is None else await save_issued(assigned, keys)

    with steps as on_step:
        facts = as_facts(*anyio.run(provision, backend_options=backend_options()))

    if as_json:
        print_json(facts)
    else:
        show(facts)


def _steps(*, trace: bool, watch: bool, as_json: bool) -> AbstractContextManager[Observer | None]:
    """Return what shows the steps."""
    if trace and watch:
        raise click.UsageError("--watch shows one line, and --trace many: give one of them")

    if watch:
        return StepLine.shown()

    return nullcontext(StepPrinter(wire=trace) if trace or not as_json else None)


def _keys_folder(given: str | None, *, wanted: bool) -> Path | None:
    """Return the folder for what is issued; None if nothing is asked for."""
    if wanted is (given is None):
        raise ConfigurationError(
            "a certificate is asked for, but there is no folder for it"
            if given is None
            else "there is a folder for a certificate, but none is asked for",
            setting="keys_out",
            hint="give --keys-out DIR with --issue or --csr, or neither",
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


def as_facts(
    result: Assignment | RegistrationRecord, issued: Path | None = None
) -> dict[str, Any]:
    """Return an assignment or a record as plain data, without the raw response."""
    fields = dataclasses.fields(result)
    facts = {field.name: getattr(result, field.name) for field in fields}
    facts.pop("raw")
    if issued is not None:
        # The file has it, with its key.
        del facts["issued_certificate_chain"]
        facts["issued_credential"] = str(issued)

    return facts


def show(facts: dict[str, Any]) -> None:
    """Show an assignment or a record as a table."""
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value or isinstance(value, dict | list):  # the first credential needs no line
            table.add_row(
                Text(name.replace("_", " "), "dim"), Text(printable(str(value)), overflow="fold")
            )

    err.print()
    out.print(table)
