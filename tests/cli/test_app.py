"""The command tree: everything is there, and helps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

import aiodps
from aiodps.cli import main
from aiodps.cli.app import COMMANDS, app
from aiodps.cli.extras import install


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
    hint = install(package="click")
    assert done.stderr.strip() == f"the command line needs an extra: {hint}"


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


def leaves(
    command: click.Command, above: click.Context | None = None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """List the commands that do something, with their words and contexts."""
    if not isinstance(command, click.Group):
        assert above is not None
        yield above.command_path.removeprefix("aiodps "), command, above
        return

    context = above or click.Context(command, info_name="aiodps")
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, click.Context(below, info_name=name, parent=context))


LEAVES = {path: (command, context) for path, command, context in leaves(app)}


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_says_its_exit_codes(path: str) -> None:
    """In the same words."""
    command, context = LEAVES[path]
    words = " ".join(command.get_help(context).split())

    assert "Exit codes: 0 " in words
    assert " 2 bad input" in words
    assert "130 Ctrl-C, 143 SIGTERM" in words or path.startswith(("fleet", "comp", "emulator"))


@pytest.mark.parametrize("path", sorted(LEAVES.keys() - {"completion"}))
def test_every_error_is_json_if_asked_for(path: str) -> None:
    """Also that of an option which does not exist, wherever `--json` is."""
    done = CliRunner().invoke(app, [*path.split(), "--json", "--no-such-option"])
    facts = json.loads(done.stdout)

    assert (done.exit_code, done.stderr) == (2, "")
    assert "--no-such-option" in facts["message"]
    assert facts["hint"].endswith(f"{path} --help")
