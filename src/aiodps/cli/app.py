"""The command tree: names, one-line descriptions, and where each command lives."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click

COMMANDS = {
    "certs": "Make and show test certificates.",
    "demo": "See it work: an emulator and six devices on this machine.",
    "emulator": "Run a Device Provisioning Service on this machine.",
    "fleet": "Provision many devices, and measure it.",
    "provision": "Provision one device.",
}


class LazyGroup(click.Group):
    """Imports a command's module (`aiodps.cli.NAME`, object `command`) when it is called.

    The modules of a group below have its name in front: `aiodps.cli.GROUP_NAME`.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str], prefix: str = "", **more: Any) -> None:
        super().__init__(*args, **more)
        self._lazy = lazy
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """Name the commands."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        """Load one command."""
        if cmd_name not in self._lazy:
            return None

        command = importlib.import_module(f"aiodps.cli.{self._prefix}{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; where there is none, name the one that was perhaps meant."""
        name = args[0]
        close = difflib.get_close_matches(name, self._lazy, n=1)
        if close and name not in self._lazy:
            ctx.fail(f"No such command {name!r}. Did you mean {close[0]!r}?")

        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's)
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lazy.items()))


@click.group(
    cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="aiodps")
def app() -> None:
    """Provision devices with Azure IoT Hub Device Provisioning Service (DPS)."""
