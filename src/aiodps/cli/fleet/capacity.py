"""`aiodps fleet capacity`: the highest rate that meets the thresholds."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from aiodps.cli.fleet.arguments.arrivals import devices_within
from aiodps.cli.fleet.arguments.evaluation import EvaluationArguments
from aiodps.cli.fleet.arguments.options import run_from_arguments
from aiodps.cli.fleet.arguments.run_options import (
    ABORT,
    ARRIVALS,
    DEVICES,
    EVALUATION,
    MACHINES,
    OUTPUT,
    SERVICE,
    RunArguments,
)
from aiodps.cli.fleet.live import LiveDisplay
from aiodps.cli.fleet.output import (
    BY_SIGNAL,
    FleetCommand,
    aborter,
    executor_for,
    together,
)
from aiodps.cli.fleet.table import show_capacity
from aiodps.cli.option_groups import DURATION, GroupedOption, in_group
from aiodps.cli.output import REFUSED, err, print_json
from aiodps.errors import ConfigurationError
from aiodps.fleet.capacity import PRECISION, Capacity, End, Search, Step, find_capacity, step_of
from aiodps.fleet.plan.arrivals import Open
from aiodps.fleet.plan.devices import DeviceSlice
from aiodps.fleet.plan.evaluation import Evaluation
from aiodps.fleet.plan.run_file import RunFile
from aiodps.fleet.report.results import write_results
from aiodps.fleet.report.thresholds import MISSED
from aiodps.fleet.run.launch import Stop
from aiodps.fleet.runs import create_run, resume_run
from aiodps.fresh_files import write_fresh

_NOT_OF_A_STEP: Final = (
    *("devices", "rate", "duration", "stages", "burst", "shard", "start_at", "dask"),
    *("junit", "markdown"),
)
"""Options of a run that the search sets itself, or that a step has no use for."""
_UNSET: Final[dict[str, Any]] = {
    **dict.fromkeys(("devices", "duration", "stages")),
    "burst": False,
}

SEARCH = in_group(
    "Search",
    GroupedOption(["--from", "lowest"], type=float, required=True, metavar="R",
                  help="Lowest rate, in devices per second."),
    GroupedOption(["--to", "highest"], type=float, required=True, metavar="R",
                  help="Highest rate."),
    GroupedOption(["--step-duration"], type=DURATION, default=30.0, metavar="D",
                  help="How long devices start at each rate. Default: 30s."),
    GroupedOption(["--precision"], type=float, default=100 * PRECISION, metavar="PERCENT",
                  help="End when the highest rate that passes and the lowest that does not are "
                       "this close. Default: 10."),
)  # fmt: skip
OPTIONS = [
    *SEARCH,
    *(
        option
        for option in (*DEVICES, *SERVICE, *ARRIVALS, *MACHINES, *EVALUATION, *ABORT, *OUTPUT)
        if option.name not in _NOT_OF_A_STEP
    ),
]
EXIT_CODES = """\b
Exit codes: 0 found, or all rates passed; 1 ended before: the generator was at its limit, or too
few devices; 2 bad input; 99 the lowest rate missed a threshold; 105 stopped by Ctrl-C, 143 by
SIGTERM."""


@click.command(cls=FleetCommand, epilog=EXIT_CODES, params=OPTIONS)
def command(
    *,
    lowest: float,
    highest: float,
    step_duration: float,
    precision: float,
    out: str | None,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Search for the highest rate that meets the thresholds.

    aiodps fleet capacity --emulator --fail-if 'p99>5s' --from 10 --to 500

    Each step is a run with devices of its own, in a sub-folder of --out. Rates double until a
    threshold is missed; then the search continues between the last two. A step that the generator
    limited bounds the search, but its rate is not the capacity of the service.
    """
    search = Search(lowest=lowest, highest=highest, precision=precision / 100)
    arguments |= {**_UNSET, "rate": highest}
    figures = EvaluationArguments.taken_from(arguments)
    steps = _Steps(
        folder=Path(out or f"runs/capacity-{datetime.now(UTC):%Y%m%d-%H%M%S}"),
        arguments=RunArguments(**arguments),
        figures=figures,
        duration=step_duration,
        quiet=as_json,
    )
    with steps.stop.handling_signals():  # also between two steps
        found = find_capacity(search, steps.run)

    data = {**dataclasses.asdict(found), "folder": str(steps.folder)}
    if found.steps:
        write_fresh(steps.folder / "capacity.json", json.dumps(data, indent=1) + "\n")

    if as_json:
        print_json(data)
    else:
        show_capacity(found)

    sys.exit(_exit_code(found, steps.stop))


def _exit_code(found: Capacity, stop: Stop) -> int:
    match found.end:
        case End.FOUND | End.RANGE:
            return 0
        case End.LOWEST:
            return MISSED
        case End.STOPPED:
            return BY_SIGNAL[stop.signal] if stop.signal is not None else REFUSED
        case _:
            return REFUSED


class _Steps:
    """Runs the steps of a search."""

    def __init__(
        self,
        *,
        folder: Path,
        arguments: RunArguments,
        figures: EvaluationArguments,
        duration: float,
        quiet: bool,
    ) -> None:
        """Prepare the steps, and check that the highest rate can be requested.

        Raises:
            ConfigurationError: If a value cannot be used, or two contradict each other.
        """
        self.folder = folder
        self.stop = Stop()
        self._arguments = arguments
        self._duration = duration
        self._quiet = quiet
        self._devices_used = 0
        options = self._plan(arguments.rate or 0.0, folder).options
        self._evaluation = figures.evaluation(Evaluation(), transports=options.transports)
        if self._evaluation.fail_if is None:
            raise ConfigurationError(
                "a search needs thresholds to meet",
                setting="fail_if",
                hint="give --fail-if, for example 'p99>5s,errors>0'",
            )

    def run(self, rate: float, number: int) -> Step | End:
        """Run one step.

        A step that misses a threshold for certain may end early (`--abort-on-fail`); that ends
        nothing else.
        """
        if self._stopped():
            return End.STOPPED

        folder = self.folder / f"{number:02}-{rate:g}"
        run = self._own_devices(self._plan(rate, folder))
        if run is None:
            return End.DEVICES

        if not self._quiet:
            err.print(Text(f"step {number}: {rate:g}/s for {self._duration:g} s", "bold"))

        run = dataclasses.replace(run, evaluation=self._evaluation)
        create_run(folder, run)
        with LiveDisplay(self.stop, quiet=self._quiet) as display:
            results = resume_run(
                folder,
                self.stop,
                executor=executor_for(None),
                on_progress=together(display, aborter(run, self.stop)),
                on_phase=display.show_phase,
            )

        step = step_of(write_results(folder, results), rate=rate, folder=folder.name)
        if self._stopped() and not results.complete:
            return End.STOPPED

        self.stop.order = None
        return step

    def _stopped(self) -> bool:
        return self.stop.signal is not None

    def _plan(self, rate: float, folder: Path) -> RunFile:
        duration = self._duration if self._arguments.emulator else None
        arguments = dataclasses.replace(self._arguments, rate=rate, duration=duration)
        return run_from_arguments(arguments, folder, independent=False)

    def _own_devices(self, run: RunFile) -> RunFile | None:
        """Return a step with the devices of a manifest that come next; None if too few are left.

        An emulator is started for each step, and knows none of the devices.
        """
        if self._arguments.emulator:
            return run

        assert isinstance(run.options.arrivals, Open)  # noqa: S101 (the rate is set)
        count = devices_within(run.options, run.options.arrivals, self._duration)
        begin, self._devices_used = self._devices_used, self._devices_used + count
        if self._devices_used > len(run.source.registration_ids()):
            return None

        return dataclasses.replace(
            run, source=DeviceSlice(devices=run.source, begin=begin, count=count)
        )
