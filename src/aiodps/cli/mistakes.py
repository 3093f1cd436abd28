"""Mistakes on the command line: one message each, without a traceback and without a key."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click

from aiodps.cli.extras import install
from aiodps.errors import ConfigurationError, ProvisioningError
from aiodps.input_files.origin import Origin
from aiodps.key_text import HIDDEN, is_content, is_key, without_keys
from aiodps.printable import printable

BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
BUG: Final = 70
"""Exit code of a bug; EX_SOFTWARE of sysexits.h."""

UNWRITTEN: Final = 74
"""Exit code if the result cannot be written; EX_IOERR."""
_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EIO, errno.EPIPE})

_NAMED: Final = re.compile(r"`?\w+(?:=[^\s`]*|\.\w+)`? \(`?(--[^)`]+)`?\)")
"""An argument or a function in a hint, with the options that take its place in brackets."""

_ARGUMENT: Final = re.compile(r"`?\b([a-z_]+)=(?:'([a-z-]+)')?`?")
"""An argument in a hint, which may have a value."""

_PATHS: Final = frozenset({"FILE", "DIR", "CERT", "KEY", "PART...", "A... -- B..."})
"""What the help calls parameters that are paths."""


@contextmanager
def mistakes_as_exit_codes(arguments: Sequence[str]) -> Iterator[None]:
    """Turn usage errors, missing packages and bugs into a message and an exit code."""
    try:
        yield
    except click.ClickException as error:
        _show_usage_error(error, arguments)
        sys.exit(error.exit_code)
    except click.Abort:
        say_interrupted(as_json="--json" in arguments)
        sys.exit(INTERRUPTED)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] == "aiodps":
            raise

        what = f"the package {error.name!r} is not installed"
        hint = install(command=next(iter(arguments), None), package=str(error.name))
        _say(what, f"install it: {hint}", arguments)
        sys.exit(BAD_INPUT)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            _say_unwritten(error.errno)
            sys.exit(UNWRITTEN)

        if sys.flags.dev_mode:
            raise

        _say_bug(error, arguments)
        sys.exit(BUG)


def _say_bug(error: Exception, arguments: Sequence[str]) -> None:
    """Print where a bug is; neither the message nor the source line, which may have a key."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    _say(
        f"{type(error).__name__} in {where}: this is a bug in aiodps",
        "report it; `python -X dev -m aiodps ...` shows the traceback",
        arguments,
    )


def _say_unwritten(code: int) -> None:
    """Print why the output cannot be written, and have Python discard what is left of it."""
    _say(
        f"the output cannot be written: {os.strerror(code)}",
        "the command itself has finished; write its output elsewhere",
        (),  # as text: JSON would go where nothing can be written
    )
    with suppress(OSError, ValueError):
        stdout = sys.stdout.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)


def _show_usage_error(error: click.ClickException, arguments: Sequence[str]) -> None:
    message = without_secrets(error.format_message(), arguments)
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    help_ = f"{command} --help".lstrip()
    if "--json" in arguments:
        _say(message, f"see {help_}", arguments)
        return

    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nTry '{help_}' for help.\n", err=True)

    click.echo(f"Error: {printable(message)}", err=True)


def _say(message: str, hint: str, arguments: Sequence[str]) -> None:
    if "--json" in arguments:
        facts = ConfigurationError(message, setting="arguments", hint=hint).facts()
        click.echo(json.dumps(facts))
        return

    click.echo(click.style("error: ", "red", bold=True) + printable(message), err=True)
    click.echo(click.style("next:  ", bold=True) + hint, err=True)


def say_interrupted(*, as_json: bool, hint: str = "run it again") -> None:
    """Print that Ctrl-C ended the command, and what can be done next."""
    message = "stopped by Ctrl-C"
    if as_json:
        click.echo(json.dumps({"error": "KeyboardInterrupt", "message": message, "hint": hint}))
        return

    click.echo(f"{message}\n{click.style('next:  ', bold=True)}{hint}", err=True)


def without_secrets(message: str, arguments: Sequence[str]) -> str:
    """Return a message without the keys that were given as arguments."""
    given = [*arguments, *(value for _, _, value in (each.partition("=") for each in arguments))]
    for secret in filter(lambda each: is_key(each) or is_content(each), given):
        for written in (secret, repr(secret)[1:-1]):
            message = message.replace(written, HIDDEN)

        if secret[:24] in message or repr(secret)[1:25] in message:  # a part of it
            return f"an argument is not valid {HIDDEN}"

    return without_keys(message)


def hide_secrets(error: ProvisioningError, ctx: click.Context) -> None:
    """Remove the keys that were given as arguments from an error."""
    given = [str(value) for values in ctx.params.values() for value in _each(values)]
    error.message = without_secrets(error.message, given)
    error.hint = without_secrets(error.hint, given)


def name_options(hint: str, ctx: click.Context) -> str:
    """Name a command's options where a hint names the arguments of a call in Python.

    A hint writes an argument as `trust=`, and behind it the options if they have other names:
    `private_key= (--key)`.
    """
    options = {each.name: each.opts[0] for each in ctx.command.params}

    def option(argument: re.Match[str]) -> str:
        name, value = argument.groups("")
        return f"{options[name]} {value}".rstrip() if name in options else argument[0]

    return _ARGUMENT.sub(option, _NAMED.sub(r"\1", hint))


def check_paths(ctx: click.Context) -> None:
    """Refuse keys in place of paths.

    Raises:
        ConfigurationError: If the value of a path parameter is not a path.
    """
    for parameter in ctx.command.params:
        if not {parameter.human_readable_name, parameter.metavar} & _PATHS:
            continue

        for value in map(str, _each(ctx.params.get(parameter.name or ""))):
            name = f"value of {parameter.opts[0]}"
            Origin.file(value, what=name, kind=str(parameter.name))
            if is_key(value) and not os.path.lexists(value):
                raise ConfigurationError(
                    f"the {name} is not a path {HIDDEN}",
                    setting=str(parameter.name),
                    hint="write the key to a file, and give the path of the file",
                )


def _each(value: object) -> list[object]:
    """Return the values of a parameter that are not None."""
    if isinstance(value, tuple | list):
        return [each for one in value for each in _each(one)]

    return [] if value is None else [value]
