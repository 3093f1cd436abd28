"""The command tree: everything is there, and helps."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

import aiodps
from aiodps.cli import main
from aiodps.cli.app import COMMANDS, app


@pytest.mark.sockets
def test_module() -> None:
    """`python -m aiodps` is the command."""
    done = subprocess.run(
        [sys.executable, "-m", "aiodps", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("aiodps, version ")


def test_help_lists_the_commands() -> None:
    """The help names every command with a line of its own."""
    said = CliRunner().invoke(app, ["--help"]).output

    assert all(f"  {name} " in said and text in said for name, text in COMMANDS.items())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_helps(name: str) -> None:
    """Each command can be loaded, and its help begins with what it does."""
    result = CliRunner().invoke(app, [name, "--help"])

    assert result.exit_code == 0
    assert "Options:" in result.output


@pytest.mark.parametrize(
    ("words", "meant"), [(["provison"], "provision"), (["fleet", "resum"], "resume")]
)
def test_a_misspelt_command(words: list[str], meant: str) -> None:
    """It is bad input, and the command that was meant is named."""
    result = CliRunner().invoke(app, words)

    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.output


def test_unknown_command() -> None:
    """A command that does not exist is bad input."""
    assert CliRunner().invoke(app, ["provisoin"]).exit_code == 2


@pytest.mark.sockets
def test_without_the_extra() -> None:
    """Without click, one sentence names what to install."""
    code = "import sys; sys.modules['click'] = None; from aiodps.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.strip() == ("the command line needs an extra: pip install 'aiodps[cli]'")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_needs_no_extra(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report of a bug begins with it."""
    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "aiodps.cli.app")
    monkeypatch.setattr(sys, "argv", ["aiodps", option])
    main()

    assert capsys.readouterr().out == f"aiodps, version {aiodps.__version__}\n"
