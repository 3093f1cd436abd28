"""`aiodps fleet`: many devices, from register to assigned."""

from __future__ import annotations

import click

from aiodps.cli.app import LazyGroup

COMMANDS = {
    "run": "Provision many devices: a rehearsal, a load test, or in earnest.",
    "resume": "Go on with a run that was stopped or killed.",
    "report": "Show a run's figures, and write its page.",
    "compare": "Show two runs side by side.",
    "merge": "Put the shards of a run together that ran on many machines.",
}


@click.group(cls=LazyGroup, lazy=COMMANDS, prefix="fleet_")
def command() -> None:
    """Provision many devices, and say how long each took."""
