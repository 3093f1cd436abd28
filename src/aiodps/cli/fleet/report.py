"""`aiodps fleet report`: the results of a run folder, as a table and as an HTML report."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from aiodps.cli.extras import install
from aiodps.cli.fleet.arguments.evaluation import EvaluationArguments
from aiodps.cli.fleet.arguments.run_options import EVALUATION, JSON
from aiodps.cli.fleet.output import ResultsCommand
from aiodps.cli.fleet.table import show_evaluation, show_summary
from aiodps.cli.output import out, print_json
from aiodps.errors import ConfigurationError
from aiodps.fleet.measure.window import in_window
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.report.results import read_results, write_results
from aiodps.fleet.report.thresholds import MISSED, evaluate, missed
from aiodps.fleet.report.verdict import verdict
from aiodps.fleet.runs import is_run_folder


@click.command(cls=ResultsCommand, params=[*EVALUATION, *JSON])
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(*, folder: Path, as_json: bool, **given: Any) -> None:
    """Show the results of a run, and write its report: one HTML file that opens from disk.

    DIR is a run folder; the report is DIR/report/index.html. The results are read from the
    journal, so that they are complete after a kill, too.

    Exit codes: 0 written, 2 bad input or no run in DIR, 99 a threshold of --fail-if was missed.
    """
    arguments = EvaluationArguments.taken_from(given)
    report = report_module()
    run = _read(folder, report, arguments)
    page, summary = report.write_report(folder, run), run.summary
    arguments.export(summary, name=folder.resolve().name)
    if as_json:
        print_json({**summary, "report": str(page)})
    else:
        show_summary(summary)
        show_evaluation(summary)
        out.print(f"report: {page}")

    sys.exit(MISSED if missed(summary) else 0)


def _read(folder: Path, report: ModuleType, arguments: EvaluationArguments) -> Any:
    """Read the results from the journals, or from earlier result files if there is no run."""
    if not is_run_folder(folder):
        return _evaluated(report.read_run(folder), arguments)

    results = read_results(folder)
    run = results.run
    evaluation = arguments.evaluation(run.evaluation, transports=run.options.transports)
    results = dataclasses.replace(results, run=dataclasses.replace(run, evaluation=evaluation))
    summary = write_results(folder, results)
    return report.Run(name=folder.resolve().name, summary=summary, samples=results.samples)


def _evaluated(run: Any, arguments: EvaluationArguments) -> Any:
    """Return results that are read from files, with the thresholds that are given, and verdict."""
    if arguments.warm_up or arguments.cool_down:
        raise ConfigurationError(
            "the folder has no journals, from which other figures could be made",
            setting="warm_up",
            hint="leave out --warm-up and --cool-down",
        )

    summary = dict(run.summary)
    if arguments.fail_if is not None:
        transports = tuple(summary["transports"])
        evaluation = arguments.evaluation(Evaluation(), transports=transports)
        samples = in_window(run.samples, summary["window"])
        results = evaluate(evaluation, summary, samples, transports=transports)
        summary["thresholds"] = [dataclasses.asdict(each) for each in results]

    summary["verdict"] = dataclasses.asdict(verdict(summary, run.samples))
    return dataclasses.replace(run, summary=summary)


def report_module() -> ModuleType:
    """Import the report's module, which is slow and needs an extra."""
    try:
        return importlib.import_module("aiodps.fleet.report.html")
    except ModuleNotFoundError as exc:
        raise click.UsageError(f"the report needs an extra: {install(command='fleet')}") from exc
