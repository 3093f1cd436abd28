"""The commands below `aiodps fleet`."""

from __future__ import annotations

import importlib

import click
import pytest
from click.testing import CliRunner

from aiodps.cli.app import app
from aiodps.cli.fleet import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there(name: str) -> None:
    """It can be loaded, and says what it does."""
    command = importlib.import_module(f"aiodps.cli.fleet.{name}").command

    assert isinstance(command, click.Command)
    result = CliRunner().invoke(app, ["fleet", name, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_they_are_listed() -> None:
    """With one line each."""
    result = CliRunner().invoke(app, ["fleet", "--help"])

    assert result.exit_code == 0
    for name in COMMANDS:
        assert name in result.stdout
