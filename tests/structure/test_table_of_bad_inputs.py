"""Each bad input of `tests/reliability/bad_inputs.tsv` is held by a test that names it.

It stands here since whoever moves a test has to see it, wherever that test was.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Final

import aiodps
from aiodps import errors

TESTS: Final = Path(__file__).parents[1]
PAGE: Final = TESTS.parent / "docs" / "reliability.md"
MATRIX: Final = "reliability/test_fault_matrix.py"
WORDS: Final = {"accepted", "ignored", "argued"}
"""What a bad input comes to that is no error."""


def rows(table: str) -> list[dict[str, str]]:
    """Read a table."""
    with (TESTS / "reliability" / table).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@cache
def text_of(path: str) -> str:
    """Read a test file; one that is not there has no text."""
    file = TESTS / path
    return file.read_text("utf-8") if file.is_file() else ""


def names(reference: str, row: str, cells: set[str]) -> bool:
    """Tell whether a test file names a row, or the fault matrix has the cell."""
    path, _, cell = reference.partition("::")
    if cell:
        return path == MATRIX and cell in cells

    return re.search(rf"\b{row}\b", text_of(path)) is not None


def faults(row: dict[str, str], cells: set[str]) -> list[str]:
    """Say which tests of a row do not name it, and which of its errors they do not know."""
    held_by, outcomes = row["held_by"].split(), set(row["outcome"].split(" or "))
    if outcomes == {"argued"}:
        return held_by

    if not held_by:
        return ["no test"]

    missing = [f"not named in {each}" for each in held_by if not names(each, row["id"], cells)]
    if MATRIX in row["held_by"]:  # which has errors in a table
        return missing

    text = "".join(map(text_of, held_by))
    return missing + [f"no test knows {each}" for each in outcomes - WORDS if each not in text]


def test_each_row_is_held() -> None:
    """By tests that exist and name it, and know its error."""
    cells = {
        f"{row['fault']}-{row['transport']}-{row['phase']}" for row in rows("fault_matrix.tsv")
    }
    found = {row["id"]: faults(row, cells) for row in rows("bad_inputs.tsv")}

    assert {name: each for name, each in found.items() if each} == {}


def test_each_outcome_is_an_error() -> None:
    """Of ours, or a word that says that there is none."""
    outcomes = {each for row in rows("bad_inputs.tsv") for each in row["outcome"].split(" or ")}

    for outcome in outcomes - WORDS:
        error = getattr(errors, outcome, None) or getattr(aiodps, outcome)
        assert issubclass(error, BaseException)


def test_no_row_is_missing() -> None:
    """There are 188, each once; the page argues those that nothing holds, and no others."""
    table = rows("bad_inputs.tsv")
    ids = [row["id"] for row in table]
    listed = re.findall(r"^\| ([SKCHJM]\d\d) \|", PAGE.read_text("utf-8"), re.MULTILINE)

    assert len(ids) == len(set(ids)) == 188
    assert listed == [row["id"] for row in table if row["outcome"] == "argued"]
