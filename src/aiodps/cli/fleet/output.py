"""Output of `aiodps fleet`: results, errors, and exit codes."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from aiodps.cli.extras import install
from aiodps.cli.fleet.arguments.evaluation import EvaluationArguments
from aiodps.cli.fleet.live import LiveDisplay
from aiodps.cli.fleet.table import show_evaluation, show_summary
from aiodps.cli.fleet.watching import Watching
from aiodps.cli.mistakes import BAD_INPUT
from aiodps.cli.option_groups import format_options
from aiodps.cli.output import (
    REFUSED,
    Command,
    err,
    errors_as_exit_codes,
    exit_code,
    print_json,
    show_error,
)
from aiodps.errors import ConfigurationError, JournalError, ProvisioningError
from aiodps.fleet.abort import hopeless
from aiodps.fleet.calibration import calibrate
from aiodps.fleet.measure.progress import Progress
from aiodps.fleet.measure.sample import Sample
from aiodps.fleet.plan.manifest import ManifestError
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.report.cautions import not_ended
from aiodps.fleet.report.results import Results, write_results
from aiodps.fleet.report.summary import Summary
from aiodps.fleet.report.thresholds import MISSED, missed, parse
from aiodps.fleet.run.control_files import Order
from aiodps.fleet.run.launch import OnProgress, Stop, process_pool
from aiodps.fleet.runs import resume_run

BY_CTRL_C = 105
"""The same as k6's."""
BY_SIGNAL: dict[int, int] = {signal.SIGINT: BY_CTRL_C, signal.SIGTERM: 143}
if hasattr(signal, "SIGHUP"):
    BY_SIGNAL[signal.SIGHUP] = 129

_MAX_ROWS_SHOWN = 50
_NO_REPORT = f"no report was written: it needs {install(command='fleet')}"

EXIT_CODES = """\b
Exit codes: 0 all assigned, 1 some failed or have not ended, 2 bad input (nothing was sent),
99 a threshold of --fail-if was missed, 105 stopped by Ctrl-C, 143 by SIGTERM, 129
because the terminal was closed."""


def fleet_exit_codes(*, as_json: bool) -> AbstractContextManager[None]:
    """Turn errors into output and the fleet's exit codes; every bad row of a manifest is shown."""
    return errors_as_exit_codes(
        as_json=as_json,
        show=_show_error,
        code=lambda error: BAD_INPUT if exit_code(error) == BAD_INPUT else REFUSED,
        interrupted=BY_CTRL_C,
        resume="`aiodps fleet resume DIR`; run it again if there is no folder of --out yet",
    )


class GroupedCommand(Command):
    """A command whose options have headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings."""
        format_options(self, ctx, formatter)


class FleetCommand(GroupedCommand):
    """A command with the fleet's exit codes."""

    exit_codes: Callable[..., AbstractContextManager[None]] = staticmethod(fleet_exit_codes)


class ResultsCommand(GroupedCommand):
    """A command that shows the results of a run, which are untrusted."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever is wrong with the results is one clear error."""
        with self.exit_codes(as_json=ctx.params["as_json"]), _damage_as_error():
            return super().invoke(ctx)


@contextmanager
def _damage_as_error() -> Iterator[None]:
    try:
        yield
    except (ProvisioningError, click.ClickException, click.exceptions.Exit):
        raise
    except OSError as exc:
        raise JournalError(
            f"{exc.filename or 'the report'} cannot be read or written: {exc.strerror}",
            reason="unwritable",
            hint="check the folder, its permissions and the space on its disk",
        ) from exc
    except Exception as exc:  # of any library that draws
        raise ConfigurationError(
            f"the summary of the run cannot be used ({type(exc).__name__})",
            setting="summary",
            hint="give the folder of a run that this version of `aiodps fleet` wrote",
        ) from exc


def _show_error(error: ProvisioningError) -> None:
    if isinstance(error, ManifestError):
        rows = error.bad_rows if len(error.bad_rows) > 1 else ()  # one is in the message
        for line in rows[:_MAX_ROWS_SHOWN]:
            err.print(Text(line))

        if len(error.bad_rows) > _MAX_ROWS_SHOWN:
            err.print(f"... and {len(error.bad_rows) - _MAX_ROWS_SHOWN} more")

        error.bad_rows = ()  # show_error must not list them again

    show_error(error)


def executor_for(dask: str | None) -> Callable[[int], Executor]:
    """Return a factory of executors: of processes on this machine, or of a Dask cluster."""
    if dask is None:
        return process_pool

    try:
        from aiodps.fleet.run.dask import DaskExecutor  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as exc:
        raise click.UsageError(f"--dask needs an extra: {install(package='distributed')}") from exc

    return functools.partial(DaskExecutor, dask)


def run_and_report(
    folder: Path,
    run: RunFile,
    *,
    arguments: EvaluationArguments,
    watching: Watching,
    as_json: bool,
    create: Callable[[], None] = lambda: None,
    dask: str | None = None,
    retry_failed: bool = False,
    start_at: float | None = None,
    with_calibration: bool = False,
) -> int:
    """Run the remaining registrations, write and show the results, and return the exit code.

    `create` creates the run, after the ports of `watching` are bound.
    """
    stop = Stop()
    with watching.serving(folder, run) as recorder:
        create()
        if with_calibration:
            with LiveDisplay(stop, quiet=as_json) as display:
                calibrate(folder, stop, on_progress=display, on_phase=display.show_phase)

        with LiveDisplay(stop, quiet=as_json) as display:
            results = resume_run(
                folder,
                stop,
                executor=executor_for(dask),
                retry_failed=retry_failed,
                start_at=start_at,
                on_progress=together(display, aborter(run, stop), recorder),
                on_phase=display.show_phase,
                on_emulator_page=watching.emulator_page(recorder),
            )

        return report_results(folder, results, arguments=arguments, as_json=as_json, stop=stop)


def together(*callbacks: OnProgress | None) -> OnProgress:
    """Return a callback that calls all of these that are not None."""

    def call(progress: Progress) -> None:
        for callback in callbacks:
            if callback is not None:
                callback(progress)

    return call


def aborter(run: RunFile, stop: Stop) -> OnProgress | None:
    """Return a callback that ends a run which is certain to miss a threshold; None if unwanted."""
    transports = run.options.transports
    if run.evaluation.fail_if is None or not run.evaluation.abort_on_fail:
        return None

    thresholds = parse(run.evaluation.fail_if, transports=transports)

    def call(progress: Progress) -> None:
        lost = hopeless(thresholds, progress, transports=transports)
        if lost and stop.order is None:
            stop.order = Order.DRAIN
            err.print(Text(f"ending the run: {', '.join(lost)} is certain", "bold red"))

    return call


def report_results(
    folder: Path,
    results: Results,
    *,
    arguments: EvaluationArguments,
    as_json: bool,
    stop: Stop,
) -> int:
    """Write and show the results; return the exit code."""
    summary = write_results(folder, results)
    page = _write_report(folder, summary, results.samples)
    arguments.export(summary, name=folder.resolve().name)
    if as_json:
        print_json({**summary, "folder": str(folder)})
    else:
        show_summary(summary)
        show_evaluation(summary)
        err.print(Text(f"report: {page}" if page else _NO_REPORT, "dim"))
        _show_next_step(folder, results)

    if stop.signal is not None and not results.complete:
        return BY_SIGNAL[stop.signal]

    if missed(summary):
        return MISSED

    return REFUSED if results.failed or results.left else 0


def _write_report(folder: Path, summary: Summary, samples: Sequence[Sample]) -> Path | None:
    """Write the report, and return its path; None if the extra is not installed."""
    try:
        from aiodps.fleet.report.html import Run, write_report  # noqa: PLC0415 (an extra, and slow)
    except ModuleNotFoundError:
        return None

    try:
        run = Run(name=folder.resolve().name, summary=summary, samples=samples)
        return write_report(folder, run)
    except OSError as exc:
        raise JournalError(
            f"the report cannot be written to {str(folder)!r}: {exc.strerror}",
            reason="unwritable",
            hint="free disk space, then write it with `aiodps fleet report`",
        ) from exc


def _show_next_step(folder: Path, results: Results) -> None:
    if results.left:
        err.print(Text(not_ended(results.left), "bold yellow"))
        err.print(f"next:  aiodps fleet resume {folder}")
    elif results.missing:
        err.print(Text(f"{len(results.missing)} shards are not in this folder", "bold yellow"))
        err.print("next:  aiodps fleet merge DIR PART...")
    elif results.failed:
        failed = f"{results.failed} of {len(results.entries)} registrations failed"
        err.print(Text(failed, "bold yellow"))
        err.print("next:  correct what the errors name, and retry the devices that failed:")
        err.print(f"       aiodps fleet resume {folder} --retry-failed")
        err.print("       if an option was wrong, start a new run: a run keeps its options")
