"""`aiodps fleet resume`: resumes a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aiodps.cli.fleet.output import (
    EXIT_CODES,
    FleetCommand,
    run_and_report,
)
from aiodps.cli.fleet.run_options import DASK, JSON, THRESHOLDS
from aiodps.cli.option_groups import GroupedOption, in_group
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.report.thresholds import parse

OPTIONS = [
    *in_group(
        "Devices",
        GroupedOption(["--retry-failed"], is_flag=True, help="Also retry failed devices."),
    ),
    DASK,
    *THRESHOLDS,
    *JSON,
]


@click.command(cls=FleetCommand, epilog=EXIT_CODES, params=OPTIONS)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
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
