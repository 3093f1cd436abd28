"""How `aiodps fleet` ends: results are written and shown, and decide the exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from aiodps.cli.fleet.live import LiveDisplay
from aiodps.cli.fleet.table import show_summary
from aiodps.cli.output import BAD_INPUT, REFUSED, err, exit_code, print_json, show_error
from aiodps.errors import JournalError, ProvisioningError
from aiodps.fleet.measure.sample import Sample
from aiodps.fleet.plan.manifest import ManifestError
from aiodps.fleet.report.results import Results, write_results
from aiodps.fleet.report.summary import Summary
from aiodps.fleet.report.thresholds import MISSED, Threshold, missed
from aiodps.fleet.run.launch import Stop, processes
from aiodps.fleet.runs import resume_run

BY_CTRL_C = 105
"""As k6 has it."""
BY_SIGTERM = 143
_MOST_FAULTS = 50
_NO_PAGE = "no report: it needs an extra, pip install 'aiodps[fleet]'"

EXIT_CODES = """\b
Exit codes: 0 all assigned, 1 some failed or are left, 2 bad input (nothing was sent),
99 a threshold of --fail-if was missed, 105 stopped by Ctrl-C, 143 stopped by SIGTERM."""


class FleetCommand(click.Command):
    """A command that ends with the fleet's exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        with faults_as_lines(as_json=ctx.params["as_json"]):
            return super().invoke(ctx)


@contextmanager
def faults_as_lines(*, as_json: bool) -> Iterator[None]:
    """Turn errors into messages and the fleet's exit codes; of a bad list, show every bad row."""
    try:
        yield
    except ProvisioningError as error:
        if as_json:
            print_json(error.facts())
        else:
            if isinstance(error, ManifestError):
                _show_faults(error)

            show_error(error)

        sys.exit(BAD_INPUT if exit_code(error) == BAD_INPUT else REFUSED)
    except KeyboardInterrupt:
        sys.exit(BY_CTRL_C)


def _show_faults(error: ManifestError) -> None:
    for line in error.faults[:_MOST_FAULTS]:
        err.print(Text(line))

    if len(error.faults) > _MOST_FAULTS:
        err.print(f"... and {len(error.faults) - _MOST_FAULTS} more")

    error.faults = ()


def executor_of(dask: str | None) -> Callable[[int], Executor]:
    """Return what makes an executor: processes here, or a Dask cluster."""
    if dask is None:
        return processes

    try:
        from aiodps.fleet.run.dask import dask_executor  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as exc:
        raise click.UsageError("--dask needs an extra: pip install 'aiodps[dask]'") from exc

    def make(count: int) -> Executor:
        return dask_executor(dask, count)

    return make


def run_to_exit(
    folder: Path,
    *,
    thresholds: tuple[Threshold, ...],
    as_json: bool,
    dask: str | None = None,
    again: bool = False,
    start_at: float | None = None,
) -> int:
    """Run what is left, write and show the results, and return the exit code."""
    stop = Stop()
    with LiveDisplay(stop, quiet=as_json) as display:
        results = resume_run(
            folder,
            stop,
            executor=executor_of(dask),
            again=again,
            start_at=start_at,
            on_progress=display,
            on_phase=display.say,
        )

    return conclude(folder, results, thresholds=thresholds, as_json=as_json, stop=stop)


def conclude(
    folder: Path,
    results: Results,
    *,
    thresholds: tuple[Threshold, ...],
    as_json: bool,
    stop: Stop,
) -> int:
    """Write and show results; return the exit code."""
    summary = write_results(folder, results)
    page = _write_page(folder, summary, results.samples)
    misses = missed(thresholds, summary) if summary["transports"] else []
    if as_json:
        print_json({**summary, "folder": str(folder), "missed": misses})
    else:
        show_summary(summary)
        err.print(Text(f"report: {page}" if page else _NO_PAGE, "dim"))
        _say_next(folder, results, misses)

    if stop.signal is not None and not results.complete:
        return BY_SIGTERM if stop.signal == signal.SIGTERM else BY_CTRL_C

    if misses:
        return MISSED

    return REFUSED if results.failed or results.left else 0


def _write_page(folder: Path, summary: Summary, samples: Sequence[Sample]) -> Path | None:
    """Write the report; None if what it is drawn with is not installed."""
    try:
        from aiodps.fleet.report.html import Run, write_report  # noqa: PLC0415 (an extra, and slow)
    except ModuleNotFoundError:
        return None

    try:
        return write_report(
            folder, Run(name=folder.resolve().name, summary=summary, samples=samples)
        )
    except OSError as exc:
        raise JournalError(
            f"the report cannot be written to {str(folder)!r}: {exc.strerror}",
            reason="unwritable",
            hint="make room, then `aiodps fleet report` makes it again",
        ) from exc


def _say_next(folder: Path, results: Results, misses: Sequence[str]) -> None:
    for line in misses:
        err.print(Text(f"missed: {line}", "bold red"))

    if results.left:
        err.print(Text(f"{results.left} registrations are left", "bold yellow"))
        err.print(f"next:  aiodps fleet resume {folder}")
    elif results.missing:
        err.print(Text(f"{len(results.missing)} shards are not in this folder", "bold yellow"))
        err.print("next:  aiodps fleet merge DIR PART...")
    elif results.failed:
        err.print(
            Text(f"{results.failed} of {len(results.entries)} registrations failed", "bold yellow")
        )
        err.print(f"next:  aiodps fleet resume {folder} --failed-too")
