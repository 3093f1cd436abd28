"""Cells of CSV files that spreadsheets open: text of others is text there, and no formula."""

from __future__ import annotations

from typing import Final, TypeVar

from aiodps.printable import printable

_T = TypeVar("_T")
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula begins, also in the full width of East Asian keyboards."""
_MARK: Final = "'"
"""What spreadsheets take as "text follows"."""


def to_cell(value: _T) -> _T | str:
    """Return a value for a cell; a string is printable, and marked if it could be a formula."""
    if not isinstance(value, str):
        return value

    text = printable(value)
    return _MARK + text if text.lstrip().startswith((*_FORMULA, _MARK)) else text


def from_cell(cell: str) -> str:
    """Return the string that `to_cell` made a cell of."""
    return cell.removeprefix(_MARK)
