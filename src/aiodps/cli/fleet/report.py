"""`aiodps fleet report`: the results of a run folder, as a table and as an HTML report."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from aiodps.cli.fleet.output import ResultsCommand, show_missed
from aiodps.cli.fleet.run_options import JSON, THRESHOLDS
from aiodps.cli.fleet.table import show_summary
from aiodps.cli.output import out, print_json
from aiodps.fleet.report.results import read_results, write_results
from aiodps.fleet.report.thresholds import MISSED, missed, parse
from aiodps.fleet.runs import exists


@click.command(cls=ResultsCommand, params=[*THRESHOLDS, *JSON])
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(*, folder: Path, fail_if: str | None, as_json: bool) -> None:
    """Show the results of a run, and write its report: one HTML file that opens from disk.

    DIR is a run folder; the report is DIR/report/index.html. The results are read from the
    journal, so that they are complete after a kill, too.

    Exit codes: 0 written, 2 no run in DIR, 99 a threshold of --fail-if was missed.
    """
    thresholds = parse(fail_if) if fail_if is not None else ()
    report = report_module()
    run = _read(folder, report)
    page, summary = report.write_report(folder, run), run.summary
    misses = missed(thresholds, summary)
    if as_json:
        print_json({**summary, "report": str(page), "missed": misses})
    else:
        show_summary(summary)
        out.print(f"report: {page}")
        show_missed(misses)

    sys.exit(MISSED if misses else 0)


def _read(folder: Path, report: ModuleType) -> Any:
    """Read the results from the journals, or from earlier result files if there is no run."""
    if not exists(folder):
        return report.read_run(folder)

    results = read_results(folder)
    summary = write_results(folder, results)
    return report.Run(name=folder.resolve().name, summary=summary, samples=results.samples)


def report_module() -> ModuleType:
    """Import the report's module, which is slow and needs an extra."""
    try:
        return importlib.import_module("aiodps.fleet.report.html")
    except ModuleNotFoundError as exc:
        raise click.UsageError("the report needs an extra: pip install 'aiodps[fleet]'") from exc
