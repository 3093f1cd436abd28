"""Text of others, made safe for terminals, logs and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def printable(text: str) -> str:
    """Return text as one line of characters that only print.

    Whitespace becomes a space. Everything else that acts on a terminal or on the order of the text
    becomes `?`: control characters, also C1 (which begin escape sequences, too), and format
    characters such as those that reverse the direction of writing.
    """
    if text.isprintable():
        return text

    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in text)


def printable_json(value: Any) -> Any:
    """Return a JSON value with all its strings, also the names of members, made printable."""
    match value:
        case str():
            return printable(value)
        case Mapping():
            return {printable(str(name)): printable_json(each) for name, each in value.items()}
        case list() | tuple():
            return [printable_json(each) for each in value]
        case _:
            return value
