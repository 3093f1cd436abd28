"""Writes a man page for each command of `aiodps` into a folder: `make_man_pages.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click_man.core import write_man_pages

from aiodps.cli.app import app
from aiodps.version import __version__


def loaded(command: click.Command) -> click.Command:
    """Return a command as it is to be written: with all below it, and its exit codes."""
    text = command.help or ""
    command.short_help = " ".join(text.partition("\n\n")[0].split())
    command.help = "\n\n".join(filter(None, (text, command.epilog)))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None  # noqa: S101
            command.add_command(loaded(below), name)

    return command


def main(folder: Path) -> None:
    """Write the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    write_man_pages("aiodps", loaded(app), version=__version__, target_dir=str(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
