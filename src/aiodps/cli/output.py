"""Output of the commands: results to stdout, everything else to stderr; and exit codes."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, Final, Self, TypeAlias

import click
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from aiodps.cli.completion.files import complete_files
from aiodps.cli.mistakes import (
    BAD_INPUT,
    INTERRUPTED,
    check_paths,
    hide_secrets,
    name_options,
    say_interrupted,
)
from aiodps.errors import (
    ConfigurationError,
    CredentialError,
    ProvisioningError,
    ProvisioningTimeoutError,
    TlsError,
    TransportError,
    UsageError,
)
from aiodps.observe import Step, StepKind
from aiodps.printable import printable

Option: TypeAlias = Callable[[Callable[..., None]], Callable[..., None]]
"""A decorator that adds an option to a command."""

REFUSED = 1
UNREACHABLE = 3
OUT_OF_TIME = 4


class _Printed:
    """Anything that rich renders, with characters that do more than print replaced."""

    def __init__(self, renderable: ConsoleRenderable) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not console.is_terminal:  # a file or a pipe: without the blanks that fill a table
            segments = console.render(self._renderable, options)
            text = "".join(segment.text for segment in segments if not segment.control)
            lines = (printable(line).rstrip() for line in text.split("\n"))
            yield Segment("\n".join(lines))
            return

        for segment in console.render(self._renderable, options):
            text, style, control = segment
            # Line ends are the layout's: texts of others have none (`printable`).
            yield (
                segment if control else Segment("\n".join(map(printable, text.split("\n"))), style)
            )


class _PrintableOnly(RenderHook):
    """Replaces control characters in everything that a rich console prints."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Make printable what is about to be printed."""
        return [_Printed(each) for each in renderables]


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True)
    console.push_render_hook(_PrintableOnly())
    return console


out: Final = _console()
err: Final = _console(stderr=True)


def exit_code(error: ProvisioningError) -> int:
    """Return the exit code for an error; the help of each command lists them."""
    match error:
        case CredentialError(reason="response"):
            return REFUSED
        case ConfigurationError() | CredentialError() | UsageError():
            return BAD_INPUT
        case ProvisioningTimeoutError():
            return OUT_OF_TIME
        case TransportError() | TlsError():
            return UNREACHABLE
        case _:
            return REFUSED


def show_error(error: ProvisioningError) -> None:
    """Print the message, the details and the next step of an error."""
    err.print(Text.assemble(("error: ", "bold red"), error.message))
    details = {
        name: value
        for name, value in error.facts().items()
        if name not in {"message", "hint"} and value not in (None, "", (), 0)
    }
    line = "  ".join(f"{name}={value}" for name, value in details.items())
    err.print(Text(printable(line), "dim"))
    err.print(Text.assemble(("next:  ", "bold"), error.hint))


def warn(text: str) -> None:
    """Print a warning."""
    err.print(Text.assemble(("warning: ", "bold yellow"), text))


def print_json(value: Mapping[str, Any]) -> None:
    """Print a JSON object to stdout, in one line."""
    click.echo(json.dumps(value, default=_as_text))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


@contextmanager
def errors_as_exit_codes(
    *,
    as_json: bool,
    show: Callable[[ProvisioningError], None] = show_error,
    code: Callable[[ProvisioningError], int] = exit_code,
    interrupted: int = INTERRUPTED,
    resume: str = "run it again",
) -> Iterator[None]:
    """Turn errors into a message on stderr, or JSON on stdout, and an exit code.

    `resume` is what can be done after Ctrl-C.
    """
    try:
        yield
    except ProvisioningError as error:
        if as_json:
            print_json(error.facts())
        else:
            show(error)

        sys.exit(code(error))
    except KeyboardInterrupt:
        say_interrupted(as_json=as_json, hint=resume)
        sys.exit(interrupted)


class Command(click.Command):
    """A command whose errors become output and an exit code; it has `--json`."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        complete_files(self.params)

    exit_codes: Callable[..., AbstractContextManager[None]] = staticmethod(errors_as_exit_codes)
    epilog: str | None
    """Text below the options; None for that of the group."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes, which commands of a group share."""
        if self.epilog is None and ctx.parent is not None:
            self.epilog = ctx.parent.command.epilog

        super().format_epilog(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        # Its steps are shown, or left out on purpose: Python must not print them as warnings.
        log = logging.getLogger("aiodps.registration")
        log.handlers = log.handlers or [logging.NullHandler()]
        with self.exit_codes(as_json=ctx.params["as_json"]):
            try:
                check_paths(ctx)
                return super().invoke(ctx)
            except ProvisioningError as error:
                hide_secrets(error, ctx)
                error.hint = name_options(error.hint, ctx)
                raise


class StepPrinter:
    """An `Observer` that prints each step; with `wire`, also each message sent or received."""

    def __init__(self, *, wire: bool = False, name_width: int = 0) -> None:
        self._wire = wire
        self._name_width = name_width
        self._began: dict[str, float] = {}

    def __call__(self, step: Step, /) -> None:
        """Print one step."""
        began = self._began.setdefault(step.registration_id, step.at - (step.took or 0.0))
        on_wire = step.kind in _ON_WIRE
        if step.kind in _NOT_SHOWN or (on_wire and not self._wire):
            return

        line = Text(f"{step.at - began:8.3f} s  ", "dim")
        if self._name_width:
            line.append(f"{step.registration_id:{self._name_width}} {step.transport:4}  ", "cyan")

        line.append(_LABELS.get(step.kind, step.kind.value), _STYLES.get(step.kind, ""))
        line.append(printable(_detail(step)))
        err.print(line)
        if on_wire:
            arrow = ">" if step.kind is StepKind.SENT else "<"
            for text in step.text.split("\n"):
                err.print(Text(f"            {arrow} {text}", "dim"))


class StepLine:
    """An `Observer` that shows the latest step in a single line, for as long as something runs."""

    def __init__(self, status: Status) -> None:
        self._status = status

    @classmethod
    @contextmanager
    def shown(cls, console: Console = err) -> Iterator[Self]:
        """Show the line until the block ends; nothing is shown if it is not a terminal."""
        with console.status("") as status:
            yield cls(status)

    def __call__(self, step: Step, /) -> None:
        """Put a step in the place of the last one."""
        if step.kind not in _ON_WIRE | {StepKind.CLOSED}:
            words = _LABELS.get(step.kind, step.kind.value), printable(_detail(step))
            style = _STYLES.get(step.kind, "")
            name = (f"{step.registration_id}  ", "cyan")
            line = Text.assemble(name, (words[0], style), words[1], no_wrap=True)
            self._status.update(line)


_ON_WIRE = {StepKind.SENT, StepKind.RECEIVED, StepKind.IGNORED}
_LABELS = {
    StepKind.STARTED: "started",
    StepKind.LOOK_UP_STARTED: "started",
    StepKind.RESOLVED: "name looked up",
    StepKind.DEQUEUED: "waited for other handshakes",
    StepKind.CONNECTED: "tcp connected",
    StepKind.TUNNEL_OPENED: "proxy tunnel opened",
    StepKind.SECURED: "tls secured",
    StepKind.TRANSPORT_CHOSEN: "transport:",
    StepKind.UPGRADED: "websocket open",
    StepKind.SESSION_OPENED: "mqtt connected",
    StepKind.SUBSCRIBED: "mqtt subscribed",
    StepKind.CACHED: "taken from the cache",
    StepKind.CACHE_MISSED: "not in the cache",
    StepKind.CACHE_FAILED: "cache",
    StepKind.REGISTERING: "register",
    StepKind.ACCEPTED: "accepted, assignment pending",
    StepKind.POLLING: "poll",
    StepKind.ASSIGNING: "still assigning",
    StepKind.LOOKING_UP: "look up",
    StepKind.WAITING: "wait",
    StepKind.RETRYING: "error",
    StepKind.REAUTHENTICATED: "credential refused, now",
    StepKind.CLOSED: "closed",
}

_NOT_SHOWN = {StepKind.STARTED, StepKind.LOOK_UP_STARTED}
_WITH_TEXT = {
    *(StepKind.RETRYING, StepKind.FAILED, StepKind.REAUTHENTICATED, StepKind.FOUND),
    StepKind.TRANSPORT_CHOSEN,
    *(StepKind.CACHED, StepKind.CACHE_MISSED, StepKind.CACHE_FAILED),
}
_STYLES = {
    StepKind.ASSIGNED: "bold green",
    StepKind.FOUND: "bold",
    StepKind.FAILED: "bold red",
    StepKind.RETRYING: "yellow",
    StepKind.REAUTHENTICATED: "yellow",
    StepKind.CACHE_FAILED: "yellow",
    StepKind.SENT: "blue",
    StepKind.RECEIVED: "magenta",
}


def _detail(step: Step) -> str:
    parts = []
    if step.text and step.kind in _WITH_TEXT:
        parts.append(f": {step.text}")

    if step.took is not None:
        parts.append(f" ({step.took * 1000:.1f} ms)")

    if step.wait is not None:
        parts.append(f", try again in {step.wait:.1f} s" if parts else f" {step.wait:.1f} s")

    return "".join(parts)
