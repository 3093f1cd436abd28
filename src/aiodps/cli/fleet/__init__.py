"""`aiodps fleet`: many devices, from register to assigned."""

from __future__ import annotations

import click

from aiodps.cli.app import LazyGroup

COMMANDS = {
    "run": "Provision many devices: against an emulator, as a load test, or for good.",
    "resume": "Resume a run that was stopped or killed.",
    "report": "Show a run's figures, and write its report.",
    "compare": "Compare two runs, figure by figure.",
    "merge": "Merge the shards of a run that ran on several machines.",
}


@click.group(cls=LazyGroup, lazy=COMMANDS, prefix="fleet.")
def command() -> None:
    """Provision many devices, and measure how long each takes."""
