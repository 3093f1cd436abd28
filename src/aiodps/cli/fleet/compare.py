"""`aiodps fleet compare`: a comparison of two runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from aiodps.cli.fleet.output import ResultsCommand
from aiodps.cli.fleet.report import report_module
from aiodps.cli.fleet.table import show_comparison
from aiodps.cli.output import err, out, print_json
from aiodps.fleet.report.compare import cautions, compare_runs, run_names
from aiodps.fleet.report.summary import read_summary


@click.command(cls=ResultsCommand)
@click.argument("left", metavar="A", type=click.Path(path_type=Path))
@click.argument("right", metavar="B", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "page",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write one HTML report about both.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def command(*, left: Path, right: Path, page: Path | None, as_json: bool) -> None:
    """Compare two runs: each figure of A and of B, and the ratio of B to A.

    A and B are run folders. Reasons not to compare them come first: different machines or
    arrivals, or a run that was limited by its load generator.
    """
    one, other = (read_summary(folder / "summary.json") for folder in (left, right))
    names = run_names(left, right)
    comparisons = compare_runs(one, other, names=names)
    warnings = cautions(dict(zip(names, (one, other), strict=True)))
    if page is not None:
        report_module().write_comparison(left, right, page)

    if as_json:
        print_json({"cautions": warnings, "comparisons": [asdict(one) for one in comparisons]})
        return

    for line in warnings:
        err.print(Text(line, "yellow"))

    for comparison in comparisons:
        show_comparison(comparison)

    if page is not None:
        out.print(f"report: {page}")
