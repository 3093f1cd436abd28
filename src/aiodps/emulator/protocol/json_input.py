"""JSON objects that strangers send: what can be read can also be written again."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from aiodps.emulator.protocol.errors import ErrorCode, Refusal

MAX_DEPTH: Final = 64
"""Objects and lists in one another, as .NET's JSON libraries allow."""


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: If it is none, too deep, or has numbers or characters that there are not.
    """
    document = read_value(body.decode())

    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 (the text is wrong, not its type)

    return document


def read_value(text: str) -> Any:
    """Read JSON of any type.

    Raises:
        ValueError: If it is none, too deep, or has numbers or characters that there are not.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError as exc:
        raise ValueError("too deep") from exc

    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deep(value, MAX_DEPTH):
        raise ValueError("too deep")

    if _SURROGATE.search(text):
        # Half of a pair stands for no character, and no page and no database takes it.
        json.dumps(value, ensure_ascii=False).encode()

    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number of JSON")

    return number


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _is_deep(value: object, left: int) -> bool:
    match value:
        case dict():
            children = list(value.values())
        case list():
            children = value
        case _:
            return False

    return left == 0 or any(_is_deep(child, left - 1) for child in children)


def read_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        Refusal: 400, if it is anything else, or could not be written again.
    """
    try:
        return read_object(body)
    except ValueError as exc:
        raise Refusal(
            ErrorCode.BAD_REQUEST, "The body is not a JSON object.", why=str(exc)[:200]
        ) from exc
