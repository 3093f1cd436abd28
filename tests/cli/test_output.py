"""How commands talk: exit codes, errors for people and machines, steps as they happen."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tests.test_printable import HOSTILE

from aiodps import errors
from aiodps.cli.output import (
    StepLine,
    StepPrinter,
    errors_as_exit_codes,
    exit_code,
    out,
    print_json,
    show_error,
)
from aiodps.models import Phase
from aiodps.observe import Step, StepKind
from aiodps.printable import printable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UnauthorizedError("x", status_code=401), 1),
        (errors.RegistrationFailedError("x", status_code=200), 1),
        (errors.UntrustedHubError("x", reason="y"), 1),
        (errors.IdentityMismatchError("x", reason="response"), 1),
        (errors.ConfigurationError("x", setting="y"), 2),
        (errors.PrivateKeyError("x", reason="y"), 2),
        (errors.UsageError("x"), 2),
        (errors.ConnectError("x"), 3),
        (errors.TransportTimeoutError("x"), 3),
        (errors.ServerIdentityError("x", reason="y"), 3),
        (errors.ProvisioningTimeoutError("x"), 4),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_exit_codes(error: errors.ProvisioningError, code: int) -> None:
    """1 the service said no, 2 bad input, 3 not reachable or TLS, 4 out of time."""
    assert exit_code(error) == code


def test_times_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """As ISO 8601 has them; everything else that JSON does not know, as text."""
    print_json({"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "path": Path("x")})

    facts = json.loads(capsys.readouterr().out)
    assert facts == {"at": "2026-01-02T03:04:05+00:00", "path": "x"}


def test_errors_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """What happened, the facts, and what to do next, on stderr."""
    with pytest.raises(SystemExit) as caught, errors_as_exit_codes(as_json=False):
        raise errors.UnauthorizedError("no", status_code=401, error_code=401002)

    said = capsys.readouterr()
    assert caught.value.code == 1
    assert not said.out
    assert [line.split()[0] for line in said.err.splitlines()] == [
        "error:",
        "error=UnauthorizedError",
        "next:",
    ]
    assert "error_code=401002" in said.err


def test_errors_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object on stdout, and nothing on stderr."""
    with pytest.raises(SystemExit), errors_as_exit_codes(as_json=True):
        raise errors.ConnectError("refused")

    said = capsys.readouterr()
    assert json.loads(said.out)["error"] == "ConnectError"
    assert not said.err


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with 130, as shells have it, and with what to do next."""
    with pytest.raises(SystemExit) as caught, errors_as_exit_codes(as_json=False):
        raise KeyboardInterrupt

    assert caught.value.code == 130
    assert capsys.readouterr().err == "stopped by Ctrl-C\nnext:  run it again\n"


def test_interrupted_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads the output of a program that was stopped finds an object, as always."""
    with pytest.raises(SystemExit), errors_as_exit_codes(as_json=True):
        raise KeyboardInterrupt

    assert json.loads(capsys.readouterr().out)["error"] == "KeyboardInterrupt"


def step(kind: StepKind, at: float, *, text: str = "", wait: float | None = None) -> Step:
    """Make a step."""
    return Step(
        kind=kind,
        at=at,
        registration_id="dev-1",
        transport="rest",
        phase=Phase.REGISTER,
        took=0.002 if kind is StepKind.SECURED else None,
        wait=wait,
        text=text,
    )


STEPS = [
    step(StepKind.SECURED, 10.002),
    step(StepKind.SENT, 10.1, text="PUT /x\nHost: y"),
    step(StepKind.RECEIVED, 10.2, text="202"),
    step(StepKind.IGNORED, 10.3, text="somebody else's"),
    step(StepKind.RETRYING, 10.4, text="refused", wait=1.5),
    step(StepKind.WAITING, 10.5, wait=3.0),
]


def test_steps(capsys: pytest.CaptureFixture[str]) -> None:
    """Steps are told with times since the beginning; the wire is left out."""
    printer = StepPrinter()
    for each in STEPS:
        printer(each)

    assert capsys.readouterr().err.splitlines() == [
        "   0.002 s  tls secured (2.0 ms)",
        "   0.400 s  error: refused, try again in 1.5 s",
        "   0.500 s  wait 3.0 s",
    ]


def test_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """With the wire, every line that went over it."""
    printer = StepPrinter(wire=True, name_width=6)
    for each in STEPS:
        printer(each)

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "   0.002 s  dev-1  rest  tls secured (2.0 ms)"
    assert "            > PUT /x" in lines
    assert "            < 202" in lines


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_of_others_acts_on_the_terminal(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does it begin a line of its own; whatever is printed, and however."""
    table = Table("a\x1b[31m")
    table.add_row(Text(printable(text)))
    out.print(table)
    out.print(Text.assemble(("a", "red"), text.replace("\n", "")))
    show_error(errors.ServiceError(f"QQ{text}", status_code=400, tracking_id=f"QQ{text}"))
    StepPrinter(wire=True)(step(StepKind.RETRYING, 0.0, text=f"QQ{text}", wait=1.0))
    StepPrinter(wire=True)(step(StepKind.IGNORED, 0.0, text="QQ" + text.replace("\n", "")))
    said = capsys.readouterr()

    assert all(each.isprintable() for each in (said.out + said.err).split("\n"))
    assert len([line for line in said.err.split("\n") if "QQ" in line]) == 4


def test_a_table_in_a_pipe_has_no_blanks_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal fills its lines, a file need not."""
    table = Table("a", "a wide heading")
    table.add_row("1", "2")
    out.print(table)
    lines = capsys.readouterr().out.splitlines()

    assert any("wide" in line for line in lines)
    assert not [line for line in lines if line != line.rstrip()]


def test_one_line_that_changes() -> None:
    """On a terminal the latest step is in the place of the last one, and gone at the end."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=60, color_system=None)
    with StepLine.shown(console) as line:
        line(step(StepKind.REGISTERING, 10.0))
        line(step(StepKind.SENT, 10.1, text="PUT canary"))
        line(step(StepKind.WAITING, 10.2, wait=3.0))
        line(step(StepKind.RETRYING, 10.3, text="refused\x1b[31m", wait=1.5))

    written = shown.getvalue()
    assert "canary" not in written
    assert "\x1b[31m" not in written
    assert "error: refused" in written
    assert written.endswith("\x1b[2K")


def test_one_line_is_for_terminals() -> None:
    """A file gets nothing of it."""
    shown = io.StringIO()
    with StepLine.shown(Console(file=shown)) as line:
        line(step(StepKind.REGISTERING, 10.0))

    assert shown.getvalue().strip() == ""
