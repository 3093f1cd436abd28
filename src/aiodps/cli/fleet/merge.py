"""`aiodps fleet merge`: merges the run folders of shards into one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aiodps.cli.fleet.arguments.evaluation import EvaluationArguments
from aiodps.cli.fleet.arguments.run_options import JSON
from aiodps.cli.fleet.output import EXIT_CODES, FleetCommand, report_results
from aiodps.fleet.run.launch import Stop
from aiodps.fleet.runs import merge


@click.command(cls=FleetCommand, epilog=EXIT_CODES, params=[*JSON])
@click.argument("out", metavar="DIR", type=click.Path(path_type=Path))
@click.argument(
    "parts", metavar="PART...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
def command(*, out: Path, parts: tuple[Path, ...], as_json: bool) -> None:
    """Merge the shards of a run that ran on several machines.

    DIR is created; each PART is a run folder of `aiodps fleet run --shard I/N`. The result is a
    run folder like any other.
    """
    results = merge(out, parts)
    sys.exit(
        report_results(out, results, arguments=EvaluationArguments(), as_json=as_json, stop=Stop())
    )
