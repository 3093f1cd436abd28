"""`aiodps fleet run`: creates a run, and runs it."""

from __future__ import annotations

import dataclasses
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from aiodps.cli.fleet.arguments.evaluation import EvaluationArguments
from aiodps.cli.fleet.arguments.options import check_start, parse_shard, run_from_arguments
from aiodps.cli.fleet.arguments.run_options import (
    ABORT,
    ARRIVALS,
    CALIBRATE,
    DEVICES,
    EVALUATION,
    MACHINES,
    OUTPUT,
    SERVICE,
    RunArguments,
)
from aiodps.cli.fleet.output import (
    EXIT_CODES,
    FleetCommand,
    run_and_report,
)
from aiodps.cli.fleet.watching import WATCHING, Address, Watching
from aiodps.cli.output import err, warn
from aiodps.errors import ConfigurationError
from aiodps.fleet.earlier_runs import assigned_before
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.runs import create_run

OPTIONS = [
    *DEVICES,
    *SERVICE,
    *ARRIVALS,
    *MACHINES,
    *CALIBRATE,
    *WATCHING,
    *EVALUATION,
    *ABORT,
    *OUTPUT,
]


@click.command(cls=FleetCommand, epilog=EXIT_CODES, params=OPTIONS)
def command(
    *,
    shards: int,
    shard: str | None,
    start_at: float | None,
    dask: str | None,
    out: str | None,
    calibrate: bool,
    live: bool,
    metrics_port: Address | None,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Provision many devices: a load test, or a factory batch.

    A test on this machine:  aiodps fleet run --emulator --devices 2000

    Your own devices:  aiodps fleet run --manifest devices.csv --id-scope 0ne00012ABC

    To resume a run that was stopped or killed:  aiodps fleet resume DIR
    """
    figures = EvaluationArguments.taken_from(arguments)
    only, shards = parse_shard(shard, shards)
    check_start(start_at)
    if calibrate and (dask is not None or start_at is not None):
        raise _not_to_calibrate()

    folder = Path(out or f"runs/{datetime.now(UTC):%Y%m%d-%H%M%S}")
    run = run_from_arguments(
        RunArguments(**arguments, shards=shards), folder, independent=only is not None
    )
    if only is not None and figures.abort_on_fail:
        raise _not_to_abort()

    evaluation = figures.evaluation(run.evaluation, transports=run.options.transports)
    if not as_json:
        err.print(Text(f"checking {len(run.source.registration_ids())} devices", "dim"))

    _warn_of_earlier_run(folder, run)
    run = dataclasses.replace(run, evaluation=evaluation)
    code = run_and_report(
        folder,
        run,
        arguments=figures,
        watching=Watching(live, metrics_port),
        as_json=as_json,
        create=partial(create_run, folder, run, shards=None if only is None else [only]),
        dask=dask,
        start_at=start_at,
        with_calibration=calibrate,
    )
    sys.exit(code)


def _not_to_calibrate() -> ConfigurationError:
    return ConfigurationError(
        "a calibration is of this machine, and takes as long as the run",
        setting="calibrate",
        hint="leave out --dask and --start-at, and calibrate a run on this machine",
    )


def _not_to_abort() -> ConfigurationError:
    return ConfigurationError(
        "one shard does not know what the others have measured",
        setting="abort_on_fail",
        hint="leave out --abort-on-fail, or give --shards in place of --shard",
    )


def _warn_of_earlier_run(folder: Path, run: RunFile) -> None:
    found = assigned_before(folder, run)
    if found is not None:
        other, count = found
        warn(
            f"{count} of these devices were assigned by the run in {str(other)!r}; each is"
            " registered, and billed, once more"
        )
