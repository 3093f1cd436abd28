"""`aiodps status`: looks up one device."""

from __future__ import annotations

import sys
from typing import Any

import anyio
import click

from aiodps.cli.device_options import device_options, run_options, settings_of
from aiodps.cli.output import REFUSED, Command, StepPrinter, print_json
from aiodps.cli.provision import as_facts, show
from aiodps.client import ProvisioningClient
from aiodps.models import RegistrationStatus
from aiodps.registration.retry import RetryPolicy

EPILOG = """\b
Over REST only: the service has no look-up over MQTT, and "auto" is "rest" here.
Exit codes: 0 assigned, 1 any other status, not known or refused, 2 bad input, 3 connection or
TLS, 4 timeout, 130 Ctrl-C, 143 SIGTERM.
Each option may also be set as AIODPS_<NAME> or in a TOML file named by --config."""


@click.command(cls=Command, epilog=EPILOG)
@device_options
@run_options
def command(*, attempts: int | None, as_json: bool, trace: bool, **options: Any) -> None:
    """Show the service's record of one device: nothing is registered, changed or billed."""
    retry = RetryPolicy(max_failures=attempts)
    client = ProvisioningClient.from_settings(settings_of(**options), retry=retry)
    on_step = StepPrinter(wire=trace) if trace or not as_json else None
    record = anyio.run(lambda: client.registration_status(on_step=on_step))
    if as_json:
        print_json(as_facts(record))
    else:
        show(as_facts(record))

    if record.status is not RegistrationStatus.ASSIGNED:
        sys.exit(REFUSED)
