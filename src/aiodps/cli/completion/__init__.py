"""`aiodps completion`: makes a shell complete what is typed after `aiodps`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

EPILOG = """\b
bash: echo 'eval "$(aiodps completion bash)"' >> ~/.bashrc
zsh:  echo 'eval "$(aiodps completion zsh)"' >> ~/.zshrc
fish: aiodps completion fish > ~/.config/fish/completions/aiodps.fish
Exit codes: 0 printed, 2 bad input."""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, *, shell: str) -> None:
    """Print a script for a shell that completes commands, options, choices and files."""
    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101
    click.echo(complete(ctx.find_root().command, {}, "aiodps", "_AIODPS_COMPLETE").source())
