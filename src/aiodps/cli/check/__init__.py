"""`aiodps check`: finds out what keeps a device from being provisioned."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import anyio
import click
from cryptography import x509

from aiodps.checks.device import Device, all_good, check_device
from aiodps.checks.model.finding import Finding
from aiodps.cli.check.output import FindingPrinter
from aiodps.cli.device_options import device_options, endpoint_options, settings_of
from aiodps.cli.mistakes import name_options
from aiodps.cli.output import REFUSED, Command, print_json
from aiodps.input_files.certificates import load_certificates
from aiodps.input_files.origin import Origin
from aiodps.input_files.reading import read

EPILOG = """\b
Without options: what this network allows. With a credential: whether it can be used.
Nothing is registered without --register.
Exit codes: 0 nothing is bad, 1 something is, 2 bad input, 130 Ctrl-C, 143 SIGTERM.
Each option may also be set as AIODPS_<NAME> or in a TOML file named by --config."""


@click.command(cls=Command, epilog=EPILOG)
@device_options
@click.option(
    "--verified-ca", metavar="FILE", help="CA that is verified at DPS, to check the chain against."
)
@click.option(
    "--register", is_flag=True, help="Register the device, too: changes its record, is billed."
)
@endpoint_options
def command(*, verified_ca: str | None, register: bool, as_json: bool, **options: Any) -> None:
    """Find out what keeps a device from being provisioned, and what to do about it.

    Checks settings, credential, name, TCP, TLS, HTTP, clock and WebSocket, one line each: good,
    bad with what to do, or not tried.
    """
    device = Device(
        settings=settings_of(**options), verified=_verified(verified_ca), register=register
    )
    findings: list[Finding] = []
    printer = FindingPrinter()

    def show(found: Finding) -> None:
        advice = name_options(found.advice, click.get_current_context())
        finding = replace(found, advice=advice)
        findings.append(finding)
        if not as_json:
            printer(finding)

    usable = anyio.run(check_device, device, show)
    if as_json:
        facts = [each.facts() for each in findings]
        print_json({"good": all_good(findings), "transports": usable, "findings": facts})
    else:
        printer.count(findings)

    if not all_good(findings):
        sys.exit(REFUSED)


def _verified(path: str | None) -> list[x509.Certificate]:
    if path is None:
        return []

    origin = Origin.file(path, what="CA file", kind="verified_ca")
    return load_certificates(read(origin), origin)
