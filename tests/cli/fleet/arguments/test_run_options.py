"""Every option of a fleet's commands has a heading."""

from __future__ import annotations

import click
import pytest

from aiodps.cli.fleet import command
from aiodps.cli.option_groups import OTHER, GroupedOption


@pytest.mark.parametrize("name", ["capacity", "merge", "report", "resume", "run"])
def test_no_option_is_among_the_others(name: str) -> None:
    """A reader finds each by what it is about."""
    assert isinstance(command, click.Group)
    with click.Context(command) as context:
        found = command.get_command(context, name)

    assert found is not None
    options = [option for option in found.params if isinstance(option, click.Option)]
    assert options
    assert all(isinstance(option, GroupedOption) and option.group != OTHER for option in options)
