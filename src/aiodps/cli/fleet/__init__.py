"""`aiodps fleet`: provisioning of many devices."""

from __future__ import annotations

import click

from aiodps.cli.app import LazyGroup

COMMANDS = {
    "run": "Provision many devices: a load test, or a factory batch.",
    "resume": "Resume a run that was stopped or killed.",
    "capacity": "Search for the highest rate that meets thresholds.",
    "report": "Show the results of a run, and write its report.",
    "compare": "Compare two runs, figure by figure.",
    "merge": "Merge the shards of a run that ran on several machines.",
}


@click.group(cls=LazyGroup, lazy=COMMANDS, prefix="fleet.")
def command() -> None:
    """Provision many devices, and measure how long each takes."""
