"""`aiodps fleet run`: creates a run, and runs it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from aiodps.cli.fleet.options import RunArguments, check_start, parse_shard, run_from_arguments
from aiodps.cli.fleet.output import (
    EXIT_CODES,
    FleetCommand,
    dask_option,
    fail_if_option,
    json_option,
    run_and_report,
)
from aiodps.cli.output import err
from aiodps.fleet.report.thresholds import parse
from aiodps.fleet.runs import create_run

OPTIONS = [
    click.Option(["--emulator"], is_flag=True,
                 help="Start an emulator on this machine, and generate devices."),
    click.Option(["--devices"], type=int, metavar="N",
                 help="Number of devices, with --emulator. Default: 100."),
    click.Option(["--assign-after"], type=float, metavar="S",
                 help="Seconds the emulator takes to assign a device."),
    click.Option(["--retry-after"], type=int, metavar="S",
                 help="Seconds the emulator asks devices to wait between polls."),
    click.Option(["--manifest"], metavar="FILE", help="Devices to provision: .csv or .jsonl."),
    click.Option(["--id-scope"], metavar="S",
                 help="Id scope of the DPS instance, like 0ne00012ABC."),
    click.Option(["--endpoint"], metavar="HOST", help="Default: Azure's global endpoint."),
    click.Option(["--rest-port"], type=int, metavar="N", help="Default: 443."),
    click.Option(["--mqtt-port"], type=int, metavar="N", help="Default: 8883."),
    click.Option(["--trust"], metavar="FILE",
                 help="CAs of the service; also: azure, certifi, system."),
    click.Option(["--hub-suffix", "hub_suffixes"], multiple=True, metavar=".DOMAIN",
                 help="Domain an assigned hub may be in; repeatable. Default: Azure's."),
    click.Option(["--ca"], metavar="FILE",
                 help="CA that issues certificates to devices without one."),
    click.Option(["--ca-key"], metavar="FILE", help="Private key of the CA."),
    click.Option(["--ca-key-password-file"], metavar="FILE",
                 help="Password of the CA's key, in the first line."),
    click.Option(["--keys-out"], metavar="DIR",
                 help="Folder for issued certificates and their keys."),
    click.Option(["--transport"], default="mqtt", show_default=True,
                 help="rest, mqtt, or rest,mqtt to compare both: each device uses each of them."),
    click.Option(["--concurrency"], type=int, metavar="C",
                 help="Most devices in flight. Default: 50; with --rate or --burst: no limit."),
    click.Option(["--rate"], type=float, metavar="R",
                 help="Devices started per second, whether or not others have ended."),
    click.Option(["--arrivals"], type=click.Choice(["constant", "poisson"]), default="constant",
                 show_default=True, help="Spacing of the devices at --rate."),
    click.Option(["--ramp"], type=float, default=0.0, metavar="S",
                 help="Seconds over which --rate rises from zero."),
    click.Option(["--burst"], is_flag=True,
                 help="Start all devices at once, as when the power comes back."),
    click.Option(["--limit-rate"], type=float, metavar="N",
                 help="Most devices started per minute; 0: no limit. Default: 1000 for Azure."),
    click.Option(["--timeout"], type=float, default=90.0, show_default=True, metavar="S",
                 help="Seconds for one device, from start to assigned."),
    click.Option(["--min-poll"], type=float, default=2.0, show_default=True, metavar="S",
                 help="Shortest seconds between two polls; less than 2 only for emulators."),
    click.Option(["--seed"], type=int, metavar="N",
                 help="Seed of schedules and jitter, to repeat a run."),
    click.Option(["--shards"], type=int, default=1, show_default=True, metavar="N",
                 help="Number of processes that share the devices."),
    click.Option(["--shard"], metavar="I/N",
                 help="Run only this shard, counted from 0; see `fleet merge`."),
    click.Option(["--start-at"], type=float, metavar="T",
                 help="When to start, in seconds since 1970."),
    click.Option(["--out"], metavar="DIR", help="The run folder. Default: runs/DATE-TIME."),
]  # fmt: skip


@click.command(cls=FleetCommand, epilog=EXIT_CODES, params=OPTIONS)
@dask_option
@fail_if_option
@json_option
def command(
    *,
    shards: int,
    shard: str | None,
    start_at: float | None,
    dask: str | None,
    out: str | None,
    fail_if: str | None,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Provision many devices: a load test, or a factory batch.

    A test on this machine:  aiodps fleet run --emulator --devices 2000

    Your own devices:  aiodps fleet run --manifest devices.csv --id-scope 0ne00012ABC

    To resume a run that was stopped or killed:  aiodps fleet resume DIR
    """
    only, shards = parse_shard(shard, shards)
    check_start(start_at)
    folder = Path(out or f"runs/{datetime.now(UTC):%Y%m%d-%H%M%S}")
    run = run_from_arguments(
        RunArguments(**arguments, shards=shards), folder, independent=only is not None
    )
    thresholds = parse(fail_if, transports=run.options.transports) if fail_if is not None else ()
    if not as_json:
        err.print(Text(f"checking {len(run.source.registration_ids())} devices", "dim"))

    create_run(folder, run, shards=None if only is None else [only])
    sys.exit(
        run_and_report(
            folder, thresholds=thresholds, as_json=as_json, dask=dask, start_at=start_at
        )
    )
