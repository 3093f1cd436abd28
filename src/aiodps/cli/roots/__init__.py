"""`aiodps roots`: shows the trust anchors, and what an endpoint presents."""

from __future__ import annotations

from typing import Any

import anyio
import click
from rich.table import Table
from rich.text import Text

from aiodps.checks.model.plan import Plan, paths_of, utc_now
from aiodps.checks.network.anchors import anchor_of, anchors_of, described
from aiodps.checks.network.look import look_at_host
from aiodps.cli.device_options import endpoint_options, settings_of
from aiodps.cli.output import Command, out, print_json
from aiodps.network.proxy import Proxy
from aiodps.network.trust import Trust
from aiodps.printable import printable

EPILOG = """\b
Connects only if --endpoint is given; what it presents is shown whether it is trusted or not.
Exit codes: 0 shown, 2 bad input, 3 no connection, 130 Ctrl-C, 143 SIGTERM.
Each option may also be set as AIODPS_<NAME> or in a TOML file named by --config."""


@click.command(cls=Command, epilog=EPILOG)
@endpoint_options
def command(*, as_json: bool, endpoint: str | None, **options: Any) -> None:
    """Show the CAs that may issue the service's certificate, and what an endpoint presents."""
    settings = settings_of(endpoint=endpoint, **options)
    trust = Trust.of(settings.trust)
    facts = {
        "trust": trust.name,
        "anchors": [described(each, utc_now()) for each in anchors_of(trust)],
    }
    if endpoint is not None:
        plan = Plan(
            host=settings.endpoint,
            paths=paths_of(settings),
            trust=trust,
            address=settings.address,
            proxy=Proxy.load(settings.proxy, settings.proxy_password_file),
        )
        facts |= anyio.run(_presented, plan)

    if as_json:
        print_json(facts)
    else:
        _show(facts)


async def _presented(plan: Plan) -> dict[str, Any]:
    """Return what the endpoint presents, and the anchor that it leads to, if any."""
    port = min(plan.paths)  # 443, if any will do
    presented = await look_at_host(plan, port)
    anchor = anchor_of(presented.certificates, anchors_of(plan.trust))
    return {
        "endpoint": plan.host,
        "port": port,
        "tls": presented.version,
        "presented": [described(each, plan.now()) for each in presented.certificates],
        "leads_to": None if anchor is None else described(anchor, plan.now()),
    }


def _show(facts: dict[str, Any]) -> None:
    _show_certificates(f"Trusted ({facts['trust']})", facts["anchors"])
    if "endpoint" not in facts:
        return

    _show_certificates(f"Presented by {facts['endpoint']}:{facts['port']}", facts["presented"])
    anchor = facts["leads_to"]
    words = "None of the trusted anchors." if anchor is None else anchor["subject"]
    out.print(Text.assemble(("Leads to ", "bold"), printable(words)))


def _show_certificates(heading: str, certificates: list[dict[str, Any]]) -> None:
    out.print(Text(printable(heading), "bold"))
    for each in certificates:
        table = Table.grid(padding=(0, 2))
        begins, ends = each["valid_from"][:10], each["valid_until"][:10]
        state = "" if each["valid"] else ", which is not now"
        for name, value in {
            "subject": each["subject"],
            "issuer": "itself" if each["issuer"] == each["subject"] else each["issuer"],
            "sha256": each["sha256"],
            "valid": f"from {begins} to {ends}{state}",
        }.items():
            table.add_row("", Text(name, "dim"), Text(printable(value), overflow="fold"))

        out.print(table)
        out.print()
