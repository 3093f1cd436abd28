"""Findings are lines that are read without colour, on any terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from aiodps.checks.model.finding import Finding, bad, good, not_tried
from aiodps.cli.check import output

FINDINGS = [
    good("name IPv4", "192.0.2.7"),
    bad("tcp 443 IPv4", "dropped", "192.0.2.7 is silent", "have outgoing TCP 443 allowed " * 3),
    not_tried("clock", "needs HTTPS"),
]


def printed(
    monkeypatch: pytest.MonkeyPatch, findings: list[Finding], *, terminal: bool, encoding: str
) -> list[str]:
    """Print findings to a terminal of 60 columns, or to a pipe."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(
        file=file, width=60, force_terminal=terminal, color_system=None, soft_wrap=True
    )
    monkeypatch.setattr(output, "out", console)
    printer = output.FindingPrinter()
    for each in findings:
        printer(each)

    printer.count(findings)
    file.flush()
    return raw.getvalue().decode(encoding).splitlines()


def test_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is continued below itself."""
    lines = printed(monkeypatch, FINDINGS, terminal=True, encoding="utf-8")

    assert [line[:17] for line in lines[:3]] == [
        "✓ name IPv4      ",
        "✗ tcp 443 IPv4   ",
        " " * 17,
    ]
    assert max(map(len, lines)) <= 60
    assert lines[-1] == "1 good, 1 bad, 1 not tried"


def test_a_pipe_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for what was seen and one for what to do, in ASCII."""
    lines = printed(monkeypatch, FINDINGS, terminal=False, encoding="ascii")

    assert [line[0] for line in lines[:4]] == ["+", "x", " ", "-"]
    assert lines[2].strip().startswith("next: have outgoing")
