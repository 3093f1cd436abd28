"""Findings as lines: what was checked, what was seen, and below a bad one what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from rich.text import Text

from aiodps.checks.model.finding import Finding, Verdict
from aiodps.cli.output import out

_NAME_WIDTH: Final = 15
_INDENT: Final = 2 + _NAME_WIDTH
_MOST_COLUMNS: Final = 100
_LEAST_COLUMNS: Final = 50
_MARKS: Final = {Verdict.GOOD: "✓", Verdict.BAD: "✗", Verdict.NOT_TRIED: "·"}
_ASCII_MARKS: Final = {Verdict.GOOD: "+", Verdict.BAD: "x", Verdict.NOT_TRIED: "-"}
_STYLES: Final = {Verdict.GOOD: "green", Verdict.BAD: "bold red", Verdict.NOT_TRIED: "dim"}


class FindingPrinter:
    """Prints findings to stdout, wrapped on a terminal, and each on one line anywhere else."""

    def __init__(self) -> None:
        unicode = out.encoding.lower().startswith("utf")
        self._marks = _MARKS if unicode else _ASCII_MARKS
        columns = max(_LEAST_COLUMNS, min(out.width, _MOST_COLUMNS))
        self._width = columns - _INDENT if out.is_terminal else None

    def __call__(self, finding: Finding) -> None:
        """Print one finding."""
        style = _STYLES[finding.verdict]
        first, *rest = self._wrapped(finding.seen)
        head = Text(f"{self._marks[finding.verdict]} {finding.check:{_NAME_WIDTH}}", style)
        out.print(head.append(first, "dim" if finding.verdict is Verdict.NOT_TRIED else "default"))
        for line in rest:
            out.print(Text(" " * _INDENT + line))

        for line in self._wrapped(f"next: {finding.advice}") if finding.advice else ():
            out.print(Text(" " * _INDENT + line, "dim" if style == "dim" else ""))

    def _wrapped(self, text: str) -> list[str]:
        return [text] if self._width is None else textwrap.wrap(text, self._width)

    def count(self, findings: Sequence[Finding]) -> None:
        """Print how many findings there are of each verdict."""
        verdicts = [each.verdict for each in findings]
        counts = [f"{verdicts.count(each)} {each.value}" for each in Verdict]
        out.print()
        out.print(Text(", ".join(counts), "bold"))
