"""The command tree: names and one-line descriptions of the commands, imported on demand."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from aiodps.cli.mistakes import mistakes_as_exit_codes

COMMANDS = {
    "certs": "Create and show test certificates.",
    "check": "Find what keeps a device from being provisioned.",
    "completion": "Have a shell complete what is typed after aiodps.",
    "demo": "Provision ten devices against an emulator on this machine.",
    "emulator": "Run a Device Provisioning Service on this machine.",
    "fleet": "Provision many devices, and measure how long each takes.",
    "keys": "Make and derive symmetric keys, and refer to keys in tokens.",
    "provision": "Provision one device.",
    "roots": "Show the CAs that are trusted, and what an endpoint presents.",
    "status": "Look up the registration of one device.",
}


class LazyGroup(click.Group):
    """A group that imports the module of a command (`aiodps.cli.NAME`) when the command is called.

    `prefix` precedes the name for groups within groups: `aiodps.cli.fleet.NAME`.
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, str], prefix: str = "", **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._lazy = lazy
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """Return the names of the commands."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        """Import and return a command."""
        if cmd_name not in self._lazy:
            return None

        command = importlib.import_module(f"aiodps.cli.{self._prefix}{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or suggest the one with the closest name."""
        name = args[0]
        close = difflib.get_close_matches(name, self._lazy, n=1)
        if close and name not in self._lazy:
            ctx.fail(f"No such command {name!r}. Did you mean {close[0]!r}?")

        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands without importing them, and options."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        known = (CompletionItem(name, help=text) for name, text in self._lazy.items())
        return [*(each for each in known if each.value.startswith(incomplete)), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's)
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lazy.items()))


class App(LazyGroup):
    """The command line as a whole: whatever happens, it ends with a message and an exit code."""

    def main(  # type: ignore[override]  # click's has more parameters, which are not used
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run a command, and exit."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        with mistakes_as_exit_codes(arguments):
            sys.exit(super().main(arguments, prog_name, **extra))


@click.group(cls=App, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="aiodps", prog_name="aiodps")
def app() -> None:
    """Provision devices with Azure IoT Hub Device Provisioning Service (DPS)."""
