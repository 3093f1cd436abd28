"""The commands of aiodps in pages and examples."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from aiodps.cli.app import app


def commands(shell: str) -> Iterator[list[str]]:
    """Find the commands of aiodps in what a shell is given; dots stand for options left out."""
    for line in re.sub(r"\\\n", " ", shell).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("();<>|&"):
                yield from _of_aiodps(words)
                words = []
            elif word != "...":
                words.append(word)


def _of_aiodps(words: list[str]) -> Iterator[list[str]]:
    if "aiodps" in words:
        yield words[words.index("aiodps") + 1 :]


def check(words: list[str]) -> None:
    """Fail if there is no such command, or not with these options."""
    command: click.Command = app
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        below = command.get_command(click.Context(command), name)
        assert below is not None, name
        command = below

    command.make_parser(click.Context(command)).parse_args(words)
