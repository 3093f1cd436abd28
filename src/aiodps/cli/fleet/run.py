"""`aiodps fleet run`: begin a run."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from aiodps.cli.fleet.options import check_start, run_of, shard_of
from aiodps.cli.fleet.output import EXIT_CODES, faults_as_lines, run_to_exit
from aiodps.cli.output import err
from aiodps.fleet.report.thresholds import parse
from aiodps.fleet.runs import begin


@click.command(epilog=EXIT_CODES)
@click.option(
    "--emulator", is_flag=True, help="Rehearse: CA, devices and service on this machine."
)
@click.option("--devices", type=int, metavar="N", help="How many, with --emulator. Default: 100.")
@click.option(
    "--assign-after", type=float, metavar="S", help="Seconds the emulator takes to assign."
)
@click.option("--retry-after", type=int, metavar="S", help="Seconds it tells devices to wait.")
@click.option("--manifest", metavar="FILE", help="Devices to provision: .csv, .jsonl or .toml.")
@click.option("--id-scope", metavar="S", help="Id scope of the DPS instance, like 0ne00012ABC.")
@click.option("--endpoint", metavar="HOST", help="Default: Azure's global endpoint.")
@click.option("--rest-port", type=int, metavar="N", help="Default: 443.")
@click.option("--mqtt-port", type=int, metavar="N", help="Default: 8883.")
@click.option("--trust", metavar="FILE", help="CAs of the service; also: azure, certifi, system.")
@click.option(
    "--hub-suffix",
    "hub_suffixes",
    multiple=True,
    metavar=".DOMAIN",
    help="Domain a hub may lie in; repeatable. Default: Azure's.",
)
@click.option("--ca", metavar="FILE", help="CA that issues certificates to rows without one.")
@click.option("--ca-key", metavar="FILE", help="Its private key.")
@click.option("--ca-key-password-file", metavar="FILE", help="Its password, in the first line.")
@click.option("--keys-out", metavar="DIR", help="Where issued certificates and keys are written.")
@click.option(
    "--transport",
    default="mqtt",
    show_default=True,
    help="rest, mqtt, or rest,mqtt: both on the same devices, in turn, to compare them.",
)
@click.option(
    "--concurrency",
    type=int,
    metavar="C",
    help="Devices at a time. Default: 50; with --rate or --burst: any number.",
)
@click.option("--rate", type=float, metavar="R", help="Devices begun a second, come what may.")
@click.option(
    "--arrivals",
    type=click.Choice(["constant", "poisson"]),
    default="constant",
    show_default=True,
    help="How --rate spaces them.",
)
@click.option(
    "--ramp", type=float, default=0.0, metavar="S", help="Seconds for --rate to build up."
)
@click.option("--burst", is_flag=True, help="All at once: the power comes back.")
@click.option(
    "--limit-rate",
    type=float,
    metavar="N",
    help="Devices begun a minute at most; 0 for no limit. Default: 1000 for Azure, its quota.",
)
@click.option(
    "--timeout",
    type=float,
    default=90.0,
    show_default=True,
    metavar="S",
    help="Seconds for one device.",
)
@click.option(
    "--min-poll",
    type=float,
    default=2.0,
    show_default=True,
    metavar="S",
    help="Least seconds between two polls; under 2 only for emulators.",
)
@click.option("--seed", type=int, metavar="N", help="Makes schedules and jitter repeatable.")
@click.option(
    "--shards",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that share the devices.",
)
@click.option("--shard", metavar="I/N", help="Run only this shard, counted from 0; see merge.")
@click.option("--start-at", type=float, metavar="T", help="Begin then, in seconds since 1970.")
@click.option("--dask", metavar="URL", help="Run the shards on this Dask cluster.")
@click.option("--out", metavar="DIR", help="The run folder. Default: runs/DATE-TIME.")
@click.option("--fail-if", metavar="LIST", help="Thresholds, like 'p99>5s,errors>0.1%'.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, nothing else.")
def command(
    *,
    transport: str,
    shard: str | None,
    start_at: float | None,
    dask: str | None,
    out: str | None,
    fail_if: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Provision many devices: a rehearsal, a load test, or in earnest.

    A rehearsal needs nothing:  aiodps fleet run --emulator --devices 2000

    In earnest:  aiodps fleet run --manifest devices.csv --id-scope 0ne00012ABC

    A run that is stopped, or killed, goes on with:  aiodps fleet resume DIR
    """
    with faults_as_lines(as_json=as_json):
        transports = tuple(word.strip() for word in transport.split(","))
        thresholds = parse(fail_if, transports=transports) if fail_if is not None else ()
        check_start(start_at)
        only, shards = shard_of(shard, options["shards"])
        folder = Path(out or f"runs/{datetime.now(UTC):%Y%m%d-%H%M%S}")
        mine = None if only is None else [only]
        run = run_of({**options, "shards": shards}, folder, transports, apart=only is not None)
        if not as_json:
            err.print(Text(f"checking {len(run.source.names())} devices", "dim"))

        begin(folder, run, shards=mine)
        code = run_to_exit(
            folder,
            thresholds=thresholds,
            as_json=as_json,
            dask=dask,
            start_at=start_at,
        )
        sys.exit(code)
