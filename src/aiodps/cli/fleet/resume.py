"""`aiodps fleet resume`: go on with a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aiodps.cli.fleet.output import EXIT_CODES, faults_as_lines, run_to_exit
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.report.thresholds import parse


@click.command(epilog=EXIT_CODES)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--failed-too", is_flag=True, help="Try devices again that have failed.")
@click.option("--dask", metavar="URL", help="Run the shards on this Dask cluster.")
@click.option("--fail-if", metavar="LIST", help="Thresholds, like 'p99>5s,errors>0.1%'.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, nothing else.")
def command(
    *, folder: Path, failed_too: bool, dask: str | None, fail_if: str | None, as_json: bool
) -> None:
    """Go on with a run that was stopped or killed.

    Devices that are assigned or have failed are left alone; operations that are under way are
    polled; only devices whose register may have been lost with the run are registered once more.
    """
    with faults_as_lines(as_json=as_json):
        transports = RunFile.read(folder).plan.transports
        thresholds = parse(fail_if, transports=transports) if fail_if is not None else ()
        code = run_to_exit(
            folder, thresholds=thresholds, as_json=as_json, dask=dask, again=failed_too
        )
        sys.exit(code)
