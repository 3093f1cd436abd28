"""Conversion of the options that say when devices start."""

from __future__ import annotations

import re
from typing import Final

from aiodps.cli.fleet.arguments.run_options import RunArguments
from aiodps.cli.option_groups import parse_duration
from aiodps.errors import ConfigurationError
from aiodps.fleet.plan.arrivals import (
    Arrivals,
    AtRate,
    Burst,
    Closed,
    Open,
    Stage,
    Staged,
    count_within,
)
from aiodps.fleet.plan.spec import RunOptions

DEFAULT_DEVICES: Final = 100
DEFAULT_CONCURRENCY: Final = 50


def arrivals_from_arguments(arguments: RunArguments) -> Arrivals:
    """Return the arrivals that the options define.

    Raises:
        ConfigurationError: If a value cannot be used, or two contradict each other.
    """
    rate, concurrency, spacing = arguments.rate, arguments.concurrency, arguments.arrivals
    _check_arrivals(arguments)
    if arguments.burst:
        return Burst(concurrency=concurrency)

    if arguments.stages is not None:
        stages = parse_stages(arguments.stages)
        return Staged(stages=stages, spacing=spacing, concurrency=concurrency)

    if rate is None:
        return Closed(concurrency=DEFAULT_CONCURRENCY if concurrency is None else concurrency)

    return Open(rate=rate, spacing=spacing, ramp=arguments.ramp, concurrency=concurrency)


def _check_arrivals(arguments: RunArguments) -> None:
    rate, stages = arguments.rate is not None, arguments.stages is not None
    if arguments.burst + rate + stages > 1:
        raise ConfigurationError(
            "--rate, --stages and --burst cannot be used together",
            setting="rate",
            hint="give one of them",
        )

    if not rate and (arguments.ramp or arguments.duration is not None):
        raise ConfigurationError(
            "--ramp and --duration need a --rate", setting="rate", hint="give --rate R"
        )

    if not (rate or stages) and arguments.arrivals != "constant":
        raise ConfigurationError(
            "--arrivals needs a rate", setting="rate", hint="give --rate R or --stages LIST"
        )


def parse_stages(text: str) -> tuple[Stage, ...]:
    """Parse `--stages`: a duration and a rate for each, such as "1m:50,5m:200".

    Raises:
        ConfigurationError: If it is invalid.
    """
    stages = []
    for part in text.split(","):
        words, _, rate = part.partition(":")
        duration = parse_duration(words)
        if duration is None or not re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", rate, re.ASCII):
            raise ConfigurationError(
                f"{ascii(part)[:40]} is not a valid stage",
                setting="stages",
                hint="give a duration and a rate for each, such as 1m:50,5m:200",
            )

        stages.append(Stage(duration=duration, rate=float(rate)))

    return tuple(stages)


def generated_count(arguments: RunArguments, options: RunOptions) -> int:
    """Return how many devices are asked for, or start within the duration or the stages.

    Raises:
        ConfigurationError: If both a number and a duration are given.
    """
    count, arrivals, duration = arguments.devices, options.arrivals, arguments.duration
    if isinstance(arrivals, Staged):
        duration = arrivals.duration

    if count is not None and arguments.duration is not None:
        raise ConfigurationError(
            "--devices and --duration cannot be used together",
            setting="devices",
            hint="leave one of them out",
        )

    if count is None and duration is not None and isinstance(arrivals, Open | Staged):
        count = devices_within(options, arrivals, duration)

    return DEFAULT_DEVICES if count is None else count


def devices_within(options: RunOptions, arrivals: AtRate, duration: float) -> int:
    """Return how many devices start in a time: each of them once over each transport."""
    starts = count_within(arrivals, duration, seed=options.seed)
    return max(1, starts // len(options.transports))


def check_stages(options: RunOptions, devices: int) -> None:
    """Check that all devices of a manifest can start.

    Raises:
        ConfigurationError: If the stages end at a rate of zero before that.
    """
    arrivals = options.arrivals
    if isinstance(arrivals, Staged) and not arrivals.stages[-1].rate:
        count = devices_within(options, arrivals, arrivals.duration)
        if count < devices:
            raise ConfigurationError(
                f"{count} of the {devices} devices start in the stages, which end at a rate of 0",
                setting="stages",
                hint="end with a rate above 0, which is kept until all devices have started",
            )
