"""`aiodps fleet resume`: resumes a run."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import click

from aiodps.cli.fleet.arguments.evaluation import EvaluationArguments
from aiodps.cli.fleet.arguments.run_options import ABORT, DASK, EVALUATION, JSON
from aiodps.cli.fleet.output import (
    EXIT_CODES,
    FleetCommand,
    run_and_report,
)
from aiodps.cli.fleet.watching import WATCHING, Address, Watching
from aiodps.cli.option_groups import GroupedOption, in_group
from aiodps.fleet.plan.run_file import RunFile

OPTIONS: list[click.Parameter] = [
    *in_group(
        "Devices",
        GroupedOption(["--retry-failed"], is_flag=True, help="Also retry failed devices."),
    ),
    DASK,
    *WATCHING,
    *EVALUATION,
    *ABORT,
    *JSON,
]


@click.command(cls=FleetCommand, epilog=EXIT_CODES, params=OPTIONS)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(
    *,
    folder: Path,
    retry_failed: bool,
    dask: str | None,
    live: bool,
    metrics_port: Address | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Resume a run that was stopped or killed.

    Devices that are assigned or have failed are skipped, and pending operations are polled. Only
    a device whose register request may have been lost with the run is registered once more.
    """
    arguments = EvaluationArguments.taken_from(given)
    run = RunFile.read(folder)
    evaluation = arguments.evaluation(run.evaluation, transports=run.options.transports)
    if evaluation != run.evaluation:
        run = dataclasses.replace(run, evaluation=evaluation)
        run.write(folder)

    code = run_and_report(
        folder,
        run,
        arguments=arguments,
        watching=Watching(live, metrics_port),
        as_json=as_json,
        dask=dask,
        retry_failed=retry_failed,
    )
    sys.exit(code)
