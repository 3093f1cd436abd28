"""`aiodps fleet resume`: resumes a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aiodps.cli.fleet.output import (
    EXIT_CODES,
    FleetCommand,
    dask_option,
    fail_if_option,
    json_option,
    run_and_report,
)
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.report.thresholds import parse


@click.command(cls=FleetCommand, epilog=EXIT_CODES)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--retry-failed", is_flag=True, help="Also retry failed devices.")
@dask_option
@fail_if_option
@json_option
def command(
    *, folder: Path, retry_failed: bool, dask: str | None, fail_if: str | None, as_json: bool
) -> None:
    """Resume a run that was stopped or killed.

    Devices that are assigned or have failed are skipped, and pending operations are polled. Only
    a device whose register request may have been lost with the run is registered once more.
    """
    transports = RunFile.read(folder).options.transports
    thresholds = parse(fail_if, transports=transports) if fail_if is not None else ()
    sys.exit(
        run_and_report(
            folder, thresholds=thresholds, as_json=as_json, dask=dask, retry_failed=retry_failed
        )
    )
