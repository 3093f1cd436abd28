"""What fits in a glance: the sizes of folders, files and functions."""

from __future__ import annotations

import ast
import statistics
from collections import Counter
from typing import Final

from tests.structure.source import FILES, Function, functions, short

MOST_FILES: Final = 14
"""In a folder."""
MOST_LINES: Final = 450
"""In a file."""
LONGEST: Final = 60
"""Lines of a function's code."""
LONG: Final = 25
"""Lines that nine of ten functions do not exceed."""


def length(function: Function) -> int:
    """Count all of its lines."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def code_length(function: Function) -> int:
    """Count what has to be understood: parameters, options and docstring only list."""
    assert function.end_lineno is not None
    code = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - code[0].lineno + 1 if code else 0


def test_a_folder_has_few_files() -> None:
    """What is more has rooms of its own."""
    counts = Counter(path.parent for path in FILES)

    assert {short(folder): n for folder, n in counts.items() if n > MOST_FILES} == {}


def test_a_file_is_read_in_one_sitting() -> None:
    """It has one responsibility."""
    lengths = {short(path): len(path.read_text("utf-8").splitlines()) for path in FILES}

    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_longer_than_a_page() -> None:
    """Each can be seen whole."""
    lengths = {
        f"{short(path)}: {each.name}": code_length(each)
        for path in FILES
        for each in functions(path)
    }

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_functions_fit_in_a_glance() -> None:
    """Nine of ten do."""
    lengths = [length(each) for path in FILES for each in functions(path)]

    assert statistics.quantiles(lengths, n=10)[-1] <= LONG
