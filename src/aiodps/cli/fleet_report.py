"""`aiodps fleet report`: what a run folder says, as a table and as a page."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.text import Text

from aiodps.cli.fleet_table import show_summary
from aiodps.cli.output import err, errors_as_exit_codes, out, print_json
from aiodps.fleet.thresholds import MISSED, missed, parse


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--fail-if", metavar="CONDITIONS", help="Such as 'p99>5s,errors>0.1%'.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, nothing else.")
def command(*, folder: Path, fail_if: str | None, as_json: bool) -> None:
    """Write a run's report: one HTML file that opens from disk.

    DIR is the folder of a run; the report is DIR/report/index.html.

    Exit codes: 0 written, 2 no run there, 99 a threshold of --fail-if was missed.
    """
    with errors_as_exit_codes(as_json=as_json):
        thresholds = parse(fail_if) if fail_if is not None else ()
        from aiodps.fleet.report import read_run, write_report  # noqa: PLC0415 (Bokeh is slow)

        page = write_report(folder)
        summary = read_run(folder).summary
        misses = missed(thresholds, summary)
        if as_json:
            print_json({**summary, "report": str(page), "missed": misses})
        else:
            show_summary(summary)
            out.print(f"report: {page}")
            for line in misses:
                err.print(Text(f"missed: {line}", "bold red"))

    sys.exit(MISSED if misses else 0)
