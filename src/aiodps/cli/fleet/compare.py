"""`aiodps fleet compare`: a comparison of runs, with a verdict for each figure."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from aiodps.cli.fleet.output import ResultsCommand
from aiodps.cli.fleet.report import report_module
from aiodps.cli.fleet.table import show_comparison
from aiodps.cli.option_groups import GroupedOption, in_group
from aiodps.cli.output import err, out, print_json
from aiodps.fleet.report.compare import cautions, compare_runs, read_run, run_names

_SEPARATOR: Final = "\0"
"""Stands for `--`, which Click would consume; not a possible path."""


class _CompareCommand(ResultsCommand):
    """A command in which `--` separates the runs of two sides."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; options may stand on both sides of the separator."""
        return super().parse_args(ctx, [_SEPARATOR if each == "--" else each for each in args])


def _two_sides(
    _context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]
) -> tuple[list[Path], list[Path]]:
    """Split the folders at the separator; two folders need none."""
    if _SEPARATOR not in words and len(words) == 2:  # noqa: PLR2004
        words = (words[0], _SEPARATOR, words[1])

    sides = [
        [Path(word) for word in group]
        for is_separator, group in groupby(words, _SEPARATOR.__eq__)
        if not is_separator
    ]
    if words.count(_SEPARATOR) != 1 or len(sides) != 2:  # noqa: PLR2004
        raise click.BadParameter("give A B, or A... -- B... for several runs on a side")

    return sides[0], sides[1]


OPTIONS = in_group(
    "Output",
    GroupedOption(["--out", "page"], metavar="FILE",
                  type=click.Path(path_type=Path, dir_okay=False),
                  help="Also write one HTML report about all runs."),
    GroupedOption(["--json", "as_json"], is_flag=True,
                  help="Print one JSON object and nothing else."),
)  # fmt: skip


EPILOG = "Exit codes: 0 compared, 2 bad input, 130 Ctrl-C, 143 SIGTERM."


@click.command(cls=_CompareCommand, params=OPTIONS, epilog=EPILOG)
@click.argument("sides", metavar="A... -- B...", nargs=-1, required=True, callback=_two_sides)
def command(*, sides: tuple[list[Path], list[Path]], page: Path | None, as_json: bool) -> None:
    """Compare runs: each figure of A and of B, the ratio of B to A, and a verdict.

    One run on each side:  aiodps fleet compare runs/a runs/b

    Several:  aiodps fleet compare runs/a1 runs/a2 runs/a3 -- runs/b1 runs/b2 runs/b3

    A verdict says whether B is better or worse by more than runs vary by themselves. Several runs
    on each side (at least three, better ten) show what differs from run to run; one on each side
    shows only what varies within a run. Reasons not to compare the runs come first: different
    machines or arrivals, or a run that was limited by its load generator.
    """
    folders = [*sides[0], *sides[1]]
    names = run_names(folders)
    runs = [read_run(folder, name=name) for folder, name in zip(folders, names, strict=True)]
    left, right = runs[: len(sides[0])], runs[len(sides[0]) :]
    comparisons = compare_runs(left, right)
    warnings = cautions({run.name: run.summary for run in runs})
    if page is not None:
        report_module().write_comparison(left, right, page)

    if as_json:
        print_json({"cautions": warnings, "comparisons": [each.to_json() for each in comparisons]})
        return

    for line in warnings:
        err.print(Text(line, "yellow"))

    for comparison in comparisons:
        show_comparison(comparison)

    if page is not None:
        out.print(f"report: {page}")
